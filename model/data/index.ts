/** The datasets there are. */
import { existsSync } from 'node:fs';
import type { DatasetParams } from '../../utils/params';
import { loadCifar10 } from './cifar10';
import type { Dataset } from './dataset';
import { fetchCifar10, type DownloadProgress } from './download';
import { makeShapes } from './shapes';

export const datasetNames = ['cifar10', 'shapes'] as const;

/** A dataset of params.json, and the folder of its files where it has any. */
export type DatasetSpec = DatasetParams & { readonly dir: string };

/** Loads, draws or, where the folder of CIFAR-10 is absent, downloads a dataset. */
export async function loadDataset(spec: DatasetSpec, onProgress?: DownloadProgress): Promise<Dataset> {
  switch (spec.name) {
    case 'cifar10':
      if (!existsSync(spec.dir)) await fetchCifar10(spec.dir, { onProgress });
      return loadCifar10(spec.dir);
    case 'shapes':
      return makeShapes(spec);
  }
}
