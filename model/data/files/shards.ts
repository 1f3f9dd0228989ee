/** Data sets in several files of one format, named after their splits. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { UserError } from '../../../utils/errors';
import { isDirectory, isFile } from '../../../utils/files';
import { byCharacters } from '../images/image_files';
import { partCalled, partWithin, type Part } from './parts';

export interface Shard {
  readonly path: string;
  readonly part: Part;
}

/**
 * The files with an extension in a folder and its subfolders, ordered by name, each with its split; or a single file.
 */
export function shardsIn(path: string, ending: string): { dir: string; shards: Shard[] } {
  if (isFile(path)) return { dir: dirname(path), shards: [{ path, part: 'train' }] };
  if (!isDirectory(path)) throw new UserError(`${path}: no such file or folder`);
  const all = readdirSync(path, { recursive: true, encoding: 'utf8' });
  const found = all
    .filter((name) => name.endsWith(ending) && !name.split(sep).some((one) => one.startsWith('.')))
    .sort(byCharacters)
    .map((name) => ({ name, part: partOf(name) }));
  if (found.length === 0) {
    const packed = all.find((name) => name.endsWith(`${ending}.gz`));
    throw new UserError(`${path}: contains no ${ending} file${packed ? `: decompress ${packed} with gunzip` : ''}`);
  }
  // A repository may have several data sets, each in a folder of its own.
  const sets = [...new Set(found.map(({ name }) => withoutPart(dirname(name))))];
  if (sets.length > 1) {
    throw new UserError(
      `${path}: contains several data sets, in ${sets
        .map((name) => name || '.')
        .slice(0, 10)
        .join(', ')}: use one of these folders`,
    );
  }
  return { dir: path, shards: found.map(({ name, part = 'train' }) => ({ path: join(path, name), part })) };
}

/** The split of a file by its name, such as `train-00000-of-00002.parquet`, or by the name of one of its folders. */
function partOf(name: string): Part | undefined {
  const folders = dirname(name).split(sep).reverse();
  return partWithin(basename(name)) ?? folders.map(folderPart).find(Boolean);
}

/** Hugging Face names a shortened split `partial-train`. */
function folderPart(name: string): Part | undefined {
  return partCalled(name.replace(/^partial-/, ''));
}

function withoutPart(folder: string): string {
  return folder
    .split(sep)
    .filter((name) => name !== '.' && folderPart(name) === undefined)
    .join(sep);
}
