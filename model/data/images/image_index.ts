/**
 * An index of the images of a data set: whether they can be decoded, and their decoded size. It is stored next to a
 * cache of decoded and resized images, and is valid for an image while its file size and modification time are
 * unchanged.
 */
import { createHash } from 'node:crypto';
import { readdirSync, realpathSync, renameSync, rmSync, type Stats } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import pLimit from 'p-limit';
import { UserError } from '../../../utils/errors';
import { draftOf, makeDirectory, readText, removeDrafts, writeFileAtomic } from '../../../utils/files';
import { isObject, parseJson } from '../../../utils/json';
import { decode, decodeInto, DECODER, failure, type DecodeOptions, type ImageSource } from './image_file';
import { pictureBytes } from './picture';

export interface FoundImage {
  /** Path below the folder of the data set; for an image inside a larger file, its name in that file. */
  readonly file: string;
  /** For an image inside a larger file, those of that file. Undefined for a broken link. */
  readonly stats: Pick<Stats, 'size' | 'mtimeMs' | 'isFile'> | undefined;
  /** Reads the bytes of an image inside a larger file. */
  readonly content?: () => Promise<Uint8Array>;
  /** Why there is no such image, if known. */
  readonly reason?: string;
}

/** The source to decode. */
export async function sourceOf(
  dir: string,
  { file, content }: Pick<FoundImage, 'file' | 'content'>,
): Promise<ImageSource> {
  return content ? content() : join(dir, file);
}

/** A decoded image, or the reason why decoding failed. */
export type Verdict =
  { readonly height: number; readonly width: number; readonly cached: boolean } | { readonly reason: string };

interface Entry {
  readonly bytes: number;
  readonly modified: number;
  readonly verdict: Verdict;
}

export interface IndexOptions extends DecodeOptions {
  /** Directory of all caches. */
  readonly cache: string;
  /** Maximum bytes of images in this cache. */
  readonly maxBytes: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Files are numbered by their position in the list. */
export class ImageIndex {
  private constructor(
    private readonly dir: string,
    private readonly folder: string,
    /** The decoding settings of the cached images. */
    readonly options: DecodeOptions,
  ) {}

  /** Looks up or decodes every file; returns the index and its entry for each file. */
  static async of(
    dir: string,
    files: readonly FoundImage[],
    { side, icc, cache, maxBytes, onProgress }: IndexOptions,
  ): Promise<{ index: ImageIndex; verdicts: Verdict[] }> {
    const key = [realpathSync(dir), side, icc, DECODER].join('\0');
    const index = new ImageIndex(dir, join(cache, `${basename(dir)}-${digest(key).slice(0, 12)}`), { side, icc });
    return { index, verdicts: await index.check(files, maxBytes, onProgress) };
  }

  /** Path of a decoded image. */
  cachePath({ file, stats }: FoundImage): string {
    return join(this.folder, `${digest([file, stats!.size, stats!.mtimeMs].join('\0')).slice(0, 32)}.rgb`);
  }

  private async check(
    files: readonly FoundImage[],
    maxBytes: number,
    onProgress: IndexOptions['onProgress'],
  ): Promise<Verdict[]> {
    const known = this.read();
    const verdicts = files.map(({ file, stats, reason }) => {
      if (reason !== undefined) return { reason };
      if (!stats) return { reason: 'broken link' };
      if (!stats.isFile()) return { reason: 'not a file' };
      if (stats.size === 0) return { reason: 'an empty file' };
      const entry = known.get(file);
      return entry?.bytes === stats.size && entry.modified === stats.mtimeMs ? entry.verdict : undefined;
    });
    const open = verdicts.flatMap((verdict, i) => (verdict ? [] : [i]));
    if (open.length === 0) return verdicts as Verdict[];

    advising(() => makeDirectory(this.folder));
    let used = verdicts.reduce((sum, verdict) => sum + bytesOf(verdict), 0);
    let done = 0;
    const saveAfter = Math.max(1000, Math.ceil(open.length / 10));
    const limit = pLimit(2 * availableParallelism());
    const examine = async (i: number): Promise<void> => {
      const verdict = await this.examined(files[i]!, used < maxBytes);
      used += bytesOf(verdict);
      verdicts[i] = verdict;
      done++;
      onProgress?.(done, open.length);
      if (done % saveAfter === 0) this.write(files, verdicts);
    };
    for (let start = 0; start < open.length; start += PIECE) {
      await Promise.all(open.slice(start, start + PIECE).map((i) => limit(examine, i)));
    }
    // The decoder mixes up the reasons of files that fail at the same time.
    for (const i of open) {
      if ('reason' in verdicts[i]!) verdicts[i] = await this.examined(files[i]!, false);
    }
    this.write(files, verdicts);
    this.removeOthers(files, verdicts as Verdict[]);
    return verdicts as Verdict[];
  }

  /** Decodes a file, into the cache if there is space. */
  private async examined(image: FoundImage, hasRoom: boolean): Promise<Verdict> {
    if (hasRoom) {
      const target = this.cachePath(image);
      const temporary = draftOf(target);
      try {
        const size = await decodeInto(await sourceOf(this.dir, image), this.options, temporary);
        renameSync(temporary, target);
        return { ...size, cached: true };
      } catch {
        // The image or the disk: without the disk it turns out which.
        rmSync(temporary, { force: true });
      }
    }
    try {
      const { height, width } = await decode(await sourceOf(this.dir, image), this.options);
      return { height, width, cached: false };
    } catch (error) {
      return { reason: failure(error) };
    }
  }

  /** A damaged index is ignored. */
  private read(): Map<string, Entry> {
    const path = join(this.folder, INDEX);
    try {
      const entries = parseJson(readText(path)) as [string, unknown][];
      return new Map(entries.filter((pair): pair is [string, Entry] => isEntry(pair[1])));
    } catch {
      return new Map();
    }
  }

  private write(files: readonly FoundImage[], verdicts: readonly (Verdict | undefined)[]): void {
    const entries = files.flatMap(({ file, stats }, i): [string, Entry][] =>
      stats && verdicts[i] ? [[file, { bytes: stats.size, modified: stats.mtimeMs, verdict: verdicts[i] }]] : [],
    );
    advising(() => writeFileAtomic(join(this.folder, INDEX), JSON.stringify(entries)));
  }

  /** Deletes cached images of files that have changed or are gone. */
  private removeOthers(files: readonly FoundImage[], verdicts: readonly Verdict[]): void {
    const kept = new Set([INDEX]);
    files.forEach((image, i) => {
      if (bytesOf(verdicts[i]) > 0) kept.add(basename(this.cachePath(image)));
    });
    removeDrafts(this.folder);
    for (const name of readdirSync(this.folder)) {
      // Drafts are those of other processes that examine the same folder.
      if (!kept.has(name) && !name.endsWith('.draft')) rmSync(join(this.folder, name), { force: true });
    }
  }
}

const INDEX = 'index.json';
/** Maximum side of a cached image in pixels. */
const MAX_SIDE = 2 ** 16;
/** Files that wait for a decoder at the same time. */
const PIECE = 1000;

/** Adds advice to an error if the cache cannot be written. */
function advising(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}; set "dataset.cache" to another folder`);
  }
}

function isEntry(value: unknown): value is Entry {
  if (!isObject(value) || !isObject(value.verdict)) return false;
  const { height, width, cached, reason } = value.verdict;
  const isSide = (side: unknown) => Number.isInteger(side) && (side as number) > 0 && (side as number) <= MAX_SIDE;
  return typeof reason === 'string' || (isSide(height) && isSide(width) && typeof cached === 'boolean');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Bytes that an image takes in the cache. */
function bytesOf(verdict: Verdict | undefined): number {
  return verdict && 'cached' in verdict && verdict.cached ? pictureBytes(verdict) : 0;
}
