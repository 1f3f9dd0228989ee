/** Downloads a data set from its authors' page: streamed, verified, complete or absent. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { extract } from 'tar';
import { messageOf, UserError } from '../../../utils/errors';
import { makeFolders } from '../../../utils/files';
import type { Form } from './places';

/** Bytes received so far, and the total if the server sends it. */
export type DownloadProgress = (received: number, total: number | undefined) => void;

/** A file of a data set's authors, with the MD5 or SHA-256 that it must have, in hexadecimal. */
interface RemoteFile {
  readonly url: string;
  readonly md5?: string;
  readonly sha256?: string;
  /** For an archive (.tar.gz): the entries to extract. Other files are kept as they are. */
  readonly wanted?: RegExp;
}

/** Where a data set comes from, and advice if it cannot be downloaded. */
export interface Source {
  /** Empty if there is no archive to download. */
  readonly files: readonly RemoteFile[];
  readonly advice: string;
  /** Its possible layouts on disk. */
  readonly forms: readonly Form[];
}

/**
 * Downloads the files of a data set into the new folder `dir`. Everything is written to a temporary folder next to it,
 * which is renamed last. If the download fails, throws a UserError that says what to do.
 */
export async function fetchDataset(
  dir: string,
  { files, advice }: Omit<Source, 'forms'>,
  onProgress?: DownloadProgress,
): Promise<void> {
  if (files.length === 0) throw new UserError(`${dir}: not found: ${advice}`);
  let temporary: string | undefined;
  const abort = new AbortController();
  try {
    const parent = dirname(resolve(dir));
    makeFolders(parent);
    temporary = mkdtempSync(join(parent, `.${basename(dir)}-`));
    const kept = join(temporary, 'files');
    mkdirSync(kept);
    const responses: Response[] = [];
    for (const { url } of files) responses.push(await opened(url, abort.signal));
    const lengths = responses.map((response) => Number(response.headers.get('content-length')));
    const total = lengths.every((length) => length > 0) ? lengths.reduce((sum, length) => sum + length, 0) : undefined;
    let received = 0;
    for (const [i, file] of files.entries()) {
      const path = file.wanted
        ? join(temporary, 'archive.tar.gz')
        : join(kept, posix.basename(new URL(file.url).pathname));
      await store(responses[i]!, path, file, (bytes) => onProgress?.((received += bytes), total));
      if (file.wanted) await unpack(path, kept, file.wanted);
    }
    moveUnlessThere(kept, dir);
  } catch (error) {
    throw new UserError(`${dir}: not found, and the archive could not be downloaded (${reasonOf(error)}): ${advice}`);
  } finally {
    abort.abort();
    // An archive that turns out to be damaged may leave a last file that is still being written.
    if (temporary) rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function opened(url: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal });
  if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
  return response;
}

/** More than any archive (STL-10: 2.6 GB): limits what a faulty server can write to the disk. */
const MAX_BYTES = 2 ** 32;

/** Streams the response into a file and checks its digest. */
async function store(
  response: Response,
  path: string,
  { md5, sha256 }: RemoteFile,
  onBytes: (count: number) => void,
): Promise<void> {
  const body = response.body as AsyncIterable<Uint8Array>;
  const hash = createHash(sha256 === undefined ? 'md5' : 'sha256');
  let bytes = 0;
  async function* observed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new Error(`the server sent more than ${MAX_BYTES} bytes`);
      hash.update(chunk);
      onBytes(chunk.length);
      yield chunk;
    }
  }
  await writeFile(path, observed());
  const found = hash.digest('hex');
  const expected = sha256 ?? md5;
  if (found !== expected) {
    throw new Error(`the archive has ${sha256 === undefined ? 'MD5' : 'SHA-256'} ${found} instead of ${expected}`);
  }
}

/** Extracts the wanted files of an archive, without their folder. */
async function unpack(archive: string, into: string, wanted: RegExp): Promise<void> {
  await extract({
    file: archive,
    cwd: into,
    strip: 1,
    strict: true,
    filter: (path, entry) => wanted.test(path) && 'type' in entry && entry.type === 'File',
  });
}

/** Another process may have been faster; then its folder is kept. */
function moveUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

/** fetch puts the reason into the cause, whose message may be empty while its code is set. */
function reasonOf(error: unknown): string {
  const cause = (error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)) || error;
  return messageOf(cause) || String((cause as NodeJS.ErrnoException).code);
}
