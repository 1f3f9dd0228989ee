/** The registry entry of a data set: its options in params.json, the location of its files, and its loader. */
import { isThere } from '../../utils/files';
import type { Options } from '../../utils/schema_forms';
import type { Dataset, StoredDataset } from './dataset';
import { fetchDataset, type Source } from './files/download';
import { placeOf, type Form } from './files/places';

/** How much of the bytes that are downloaded, or of the images that are seen for the first time, is done. */
export type LoadProgress = (done: number, total: number | undefined, unit: 'bytes' | 'images') => void;

export interface DatasetEntry<Params extends object = object, D extends Dataset = StoredDataset> {
  /**
   * A JSON schema for each option: `title` says what it is, `description` what it accepts. A function where what one accepts
   * depends on what params.json gives for the others.
   */
  readonly options: Options | ((given: Readonly<Record<string, unknown>>) => Options);
  /** Options that must be given. */
  readonly required?: readonly (keyof Params & string)[];
  /** Where its files are unless `data_dir` says; absent where the set does not read `data_dir`. */
  readonly directory?: string;
  /** How its files are recognized in a folder that is taken for another set. */
  readonly forms?: readonly Form[];
  /** Whether the labels of its training images mean nothing. */
  isUnlabeled?(params: Params): boolean;
  /** Whether the labels of all its images mean nothing. */
  hasNoLabels?(params: Params): boolean;
  /** Loads or generates it; `dir` is its own option of that name, or else `data_dir`. Throws UserErrors. */
  load(params: Params & { readonly dir: string }, onProgress?: LoadProgress): Promise<D> | D;
}

/** The options of an entry for what params.json gives. */
export function datasetOptions(
  { options }: Pick<DatasetEntry, 'options'>,
  given: Readonly<Record<string, unknown>>,
): Options {
  return typeof options === 'function' ? options(given) : options;
}

/** The folder `dir`, downloaded if it is missing. */
export async function fetched(dir: string, source: Source, onProgress?: LoadProgress): Promise<string> {
  if (!isThere(dir) && !placeOf(dir, source.forms)) {
    await fetchDataset(dir, source, (done, total) => onProgress?.(done, total, 'bytes'));
  }
  return dir;
}

/** Takes the progress of images only. */
export function ofImages(onProgress?: LoadProgress): (done: number, total: number) => void {
  return (done, total) => onProgress?.(done, total, 'images');
}
