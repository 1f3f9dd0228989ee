/** The data sets by their names in params.json. */
import { UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
import { show } from '../../utils/json';
import { mistakes } from '../../utils/schema';
import { object, text } from '../../utils/schema_forms';
import type { Dataset } from './dataset';
import { datasetOptions, type DatasetEntry, type LoadProgress } from './dataset_entry';
import { placeOf } from './files/places';
import { cifar10 } from './sets/cifar10';
import { cifar101 } from './sets/cifar10_1';
import { cifar100 } from './sets/cifar100';
import { folder } from './sets/folder';
import { emnist, fashionMnist, kmnist, mnist, qmnist } from './sets/mnist';
import { npz } from './sets/npz';
import { parquet } from './sets/parquet';
import { shapes } from './sets/shapes';
import { stl10 } from './sets/stl10';
import { svhn } from './sets/svhn';
import { webdataset } from './sets/webdataset';

export { datasetOptions, type DatasetEntry, type LoadProgress } from './dataset_entry';

const entries = {
  cifar10,
  cifar100,
  'cifar10.1': cifar101,
  mnist,
  fashion_mnist: fashionMnist,
  kmnist,
  qmnist,
  emnist,
  stl10,
  svhn,
  shapes,
  npz,
  parquet,
  webdataset,
  folder,
};

type Entries = typeof entries;
export type DatasetName = keyof Entries;
type ParamsOf<Entry> = Entry extends DatasetEntry<infer Params, Dataset> ? Params : never;
type LoadedFrom<Entry> = Entry extends DatasetEntry<never, infer Loaded> ? Loaded : never;

/** `dataset` in params.json with defaults filled in: a name and its options. */
export type DatasetParams = { [Name in DatasetName]: { readonly name: Name } & ParamsOf<Entries[Name]> }[DatasetName];

/** A data set by its name, with those of its options that are not left at their defaults, and the folder of its files. */
export type DatasetSpec = {
  [Name in DatasetName]: { readonly name: Name; readonly dir?: string } & Partial<ParamsOf<Entries[Name]>>;
}[DatasetName];

export const datasets: Readonly<Record<DatasetName, DatasetEntry<never, Dataset>>> = entries;

export const datasetNames = Object.keys(entries) as readonly DatasetName[];

/**
 * Loads or generates a data set. Downloads a known one if its folder is missing. Throws a UserError for an unknown name, a wrong
 * option, or files that cannot be read.
 *
 *     const dataset = await loadDataset({ name: 'shapes', train: 1000, test: 200 });
 */
export async function loadDataset<Spec extends DatasetSpec>(
  spec: Spec,
  onProgress?: LoadProgress,
): Promise<LoadedFrom<Entries[Spec['name']]>> {
  const { name } = spec;
  if (!datasetNames.includes(name)) {
    throw new UserError(`loadDataset: "name" must be one of ${datasetNames.join(', ')}, got ${show(name)}`);
  }
  const entry = datasets[name] as DatasetEntry<DatasetSpec, LoadedFrom<Entries[Spec['name']]>>;
  const filled = { ...spec, dir: spec.dir ?? entry.directory ?? '' };
  const options = datasetOptions(entry, filled);
  const lines = mistakes(object({ name: text(), dir: text(), ...options }, entry.required ?? []), filled);
  if (lines.length > 0) throw new UserError(lines.map((line) => `loadDataset: ${line}`).join('\n'));
  try {
    return await entry.load(filled, onProgress);
  } catch (error) {
    const isOwn = Object.hasOwn(options, 'dir');
    throw error instanceof UserError && isOwn ? new UserError(error.message + otherSet(filled.dir)) : error;
  }
}

/** Advice if a supposed folder of images contains a known data set. */
function otherSet(dir: string): string {
  const name = datasetNames.find((one) => isThere(dir) && placeOf(dir, datasets[one].forms ?? []));
  return name === undefined ? '' : `; it contains ${name}: set "dataset" to "${name}" and "data_dir" to the folder`;
}

/** Whether no image has a label, not even those that are held out. */
export function hasNoLabels(params: DatasetParams): boolean {
  return (datasets[params.name] as DatasetEntry).hasNoLabels?.(params) ?? false;
}

/** Whether the training images have no meaningful labels. */
export function isUnlabeled(params: DatasetParams): boolean {
  return (datasets[params.name] as DatasetEntry).isUnlabeled?.(params) ?? false;
}
