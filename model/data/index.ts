/** The data sets by their names in params.json. */
import { UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
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

/** The same, with the folder of its files, if it has any. */
export type DatasetSpec = DatasetParams & { readonly dir: string };

export const datasets: Readonly<Record<DatasetName, DatasetEntry<never, Dataset>>> = entries;

export const datasetNames = Object.keys(entries) as readonly DatasetName[];

/** Loads or generates a data set. Downloads a known one if its folder is missing. */
export async function loadDataset<Spec extends DatasetSpec>(
  spec: Spec,
  onProgress?: LoadProgress,
): Promise<LoadedFrom<Entries[Spec['name']]>> {
  const entry = datasets[spec.name] as DatasetEntry<Spec, LoadedFrom<Entries[Spec['name']]>>;
  try {
    return await entry.load(spec, onProgress);
  } catch (error) {
    const isOwn = Object.hasOwn(datasetOptions(entry, { ...spec }), 'dir');
    throw error instanceof UserError && isOwn ? new UserError(error.message + otherSet(spec.dir)) : error;
  }
}

/** Advice if a supposed folder of images contains a known data set. */
function otherSet(dir: string): string {
  const name = datasetNames.find((one) => isThere(dir) && placeOf(dir, datasets[one].forms ?? []));
  return name === undefined ? '' : `; it contains ${name}: set "dataset" to "${name}" and "data_dir" to the folder`;
}

/** Whether the training images have no meaningful labels. */
export function isUnlabeled(params: DatasetParams): boolean {
  return (datasets[params.name] as DatasetEntry).isUnlabeled?.(params) ?? false;
}
