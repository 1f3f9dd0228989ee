/** The datasets there are. */
import { UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
import type { DatasetParams } from '../experiment/params';
import { cifar10Source, loadCifar10 } from './sets/cifar10';
import { cifar100Source, loadCifar100 } from './sets/cifar100';
import { cifar101Source, loadCifar101 } from './sets/cifar10_1';
import type { Dataset, StoredDataset } from './dataset';
import { fetchDataset, type Source } from './files/download';
import { loadFolder } from './sets/folder';
import { loadMnist, mnistSource } from './sets/mnist';
import { loadNpz } from './sets/npz';
import { loadParquet } from './sets/parquet';
import { placeOf } from './files/places';
import { makeShapes } from './sets/shapes';
import { loadStl10, stl10Source } from './sets/stl10';
import { loadSvhn, svhnSource } from './sets/svhn';
import { loadWebDataset } from './sets/webdataset';

export const datasetNames = [
  'cifar10',
  'cifar100',
  'cifar10.1',
  'mnist',
  'fashion_mnist',
  'kmnist',
  'qmnist',
  'emnist',
  'stl10',
  'svhn',
  'shapes',
  'npz',
  'parquet',
  'webdataset',
  'folder',
] as const;

/** A dataset of params.json, and the folder of its files where it has any. */
export type DatasetSpec = DatasetParams & { readonly dir: string };

/** How much of the bytes that are downloaded, or of the images that are seen for the first time, is done. */
export type LoadProgress = (done: number, total: number | undefined, unit: 'bytes' | 'images') => void;

/** Loads or draws a dataset. An absent folder of a known one is downloaded. */
export function loadDataset(
  spec: Exclude<DatasetSpec, { name: 'folder' | 'parquet' | 'webdataset' }>,
  onProgress?: LoadProgress,
): Promise<StoredDataset>;
export function loadDataset(spec: DatasetSpec, onProgress?: LoadProgress): Promise<Dataset>;
export async function loadDataset(spec: DatasetSpec, onProgress?: LoadProgress): Promise<Dataset> {
  const from = async (dir: string, source: Source): Promise<string> => {
    if (!isThere(dir) && !placeOf(dir, source.forms))
      await fetchDataset(dir, source, (done, total) => onProgress?.(done, total, 'bytes'));
    return dir;
  };
  switch (spec.name) {
    case 'cifar10':
      return loadCifar10(await from(spec.dir, cifar10Source));
    case 'cifar100':
      return loadCifar100(await from(spec.dir, cifar100Source), spec.labels);
    case 'cifar10.1':
      return loadCifar101(
        await from(spec.dir, cifar10Source),
        await from(spec.test_dir, cifar101Source(spec.version)),
        spec.version,
      );
    case 'mnist':
    case 'fashion_mnist':
    case 'kmnist':
    case 'qmnist':
      return loadMnist(await from(spec.dir, mnistSource(spec.name)), spec.name, spec.pad);
    case 'emnist':
      return loadMnist(await from(spec.dir, mnistSource(spec.name, spec.split)), spec.name, spec.pad, spec.split);
    case 'stl10':
      return loadStl10(await from(spec.dir, stl10Source), spec.train);
    case 'svhn':
      return loadSvhn(await from(spec.dir, svhnSource(spec.train)), spec.train);
    case 'shapes':
      return makeShapes(spec);
    case 'npz':
      return loadNpz(spec);
    case 'parquet':
      return loadParquet(spec, (done, total) => onProgress?.(done, total, 'images'));
    case 'webdataset':
      return loadWebDataset(spec, (done, total) => onProgress?.(done, total, 'images'));
    case 'folder':
      try {
        return await loadFolder(spec, (done, total) => onProgress?.(done, total, 'images'));
      } catch (error) {
        throw error instanceof UserError ? new UserError(`${error.message}${otherSet(spec.dir)}`) : error;
      }
  }
}

/** Data sets that a folder may hold whose images are not files of their own. */
const others: Readonly<Record<string, Source>> = {
  cifar10: cifar10Source,
  cifar100: cifar100Source,
  stl10: stl10Source,
  svhn: svhnSource('train'),
  mnist: mnistSource('mnist'),
  qmnist: mnistSource('qmnist'),
  emnist: mnistSource('emnist'),
};

/** What to write instead where a folder of images is none, but a data set that is known. */
function otherSet(dir: string): string {
  const name = isThere(dir) ? Object.keys(others).find((one) => placeOf(dir, others[one]!.forms)) : undefined;
  return name === undefined ? '' : `; this is ${name}: set "dataset" to "${name}" and "data_dir" to the folder`;
}
