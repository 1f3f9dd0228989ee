/** Fetches the CIFAR-10 archive (binary version) from its authors' page: streamed, verified, whole or absent. */
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { messageOf, UserError } from '../../utils/errors';

/** Bytes received so far, and in all where the server tells. */
export type DownloadProgress = (received: number, total: number | undefined) => void;

export interface DownloadOptions {
  readonly url?: string;
  /** MD5 of the archive, in hexadecimal. */
  readonly md5?: string;
  readonly onProgress?: DownloadProgress;
}

const wantedFiles = /^cifar-10-batches-bin\/(data_batch_\d+\.bin|test_batch\.bin|batches\.meta\.txt)$/;

/**
 * Downloads the archive and puts its data files into the new folder `dir`. Everything happens in a temporary folder
 * beside it, which is renamed last. Throws a UserError that says what to do where the archive can't be had.
 */
export async function fetchCifar10(dir: string, options: DownloadOptions = {}): Promise<void> {
  const { url, md5, onProgress } = {
    url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
    md5: 'c32a1d4ab5d03f1284b67883e8d87530',
    ...options,
  };
  let temporary: string | undefined;
  try {
    const parent = dirname(resolve(dir));
    mkdirSync(parent, { recursive: true });
    temporary = mkdtempSync(join(parent, `.${basename(dir)}-`));
    const archive = join(temporary, 'archive.tar.gz');
    const found = await download(url, archive, onProgress);
    if (found !== md5) throw new Error(`the archive has MD5 ${found} instead of ${md5}`);
    const files = join(temporary, 'files');
    mkdirSync(files);
    await extract({
      file: archive,
      cwd: files,
      strip: 1,
      strict: true,
      filter: (path, entry) => wantedFiles.test(path) && 'type' in entry && entry.type === 'File',
    });
    moveUnlessThere(files, dir);
  } catch (error) {
    throw new UserError(
      `${dir}: not found, and the archive could not be downloaded (${reasonOf(error)}): put data_batch_*.bin and ` +
        'test_batch.bin of the CIFAR-10 binary version there, or set "data_dir"',
    );
  } finally {
    if (temporary) rmSync(temporary, { recursive: true, force: true });
  }
}

/** Streams `url` into a file; returns the MD5 of what came. */
async function download(url: string, path: string, onProgress?: DownloadProgress): Promise<string> {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
  const body = response.body as AsyncIterable<Uint8Array>;
  const total = Number(response.headers.get('content-length')) || undefined;
  const hash = createHash('md5');
  let received = 0;
  async function* observed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk);
      received += chunk.length;
      onProgress?.(received, total);
      yield chunk;
    }
  }
  await pipeline(observed, createWriteStream(path));
  return hash.digest('hex');
}

/** Another process may have been faster; then its folder stands. */
function moveUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

/** fetch tells its reason as the cause, whose message may be empty beside a code. */
function reasonOf(error: unknown): string {
  const cause = (error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)) || error;
  return messageOf(cause) || String((cause as NodeJS.ErrnoException).code);
}
