/**
 * CIFAR-10 (Krizhevsky 2009). In the binary version a record is one label byte and 3072 pixel bytes, the red, green and blue
 * plane, each row by row. The number of records follows from the size of a file.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredDataset } from '../dataset';
import { fetched, type DatasetEntry } from '../dataset_entry';
import { readBatches, readClassNames } from '../files/cifar_python';
import type { Source } from '../files/download';
import { foundPlace } from '../files/places';
import { filesIn, readClasses, readRecords } from '../files/records';

const binary = { title: 'data_batch_*.bin', mark: /^data_batch_.*\.bin$/, folders: ['cifar-10-batches-bin'] };
const python = { title: 'data_batch_1', mark: /^data_batch_\d+$/, folders: ['cifar-10-batches-py'] };

export const cifar10Source: Source = {
  files: [
    {
      url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
      md5: 'c32a1d4ab5d03f1284b67883e8d87530',
      wanted: /^cifar-10-batches-bin\/(data_batch_\d+\.bin|test_batch\.bin|batches\.meta\.txt)$/,
    },
  ],
  advice: 'put data_batch_*.bin and test_batch.bin of the CIFAR-10 binary version there, or set "data_dir"',
  forms: [binary, python],
};

const standardClasses = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');
const layout = { labelBytes: 1, label: 0, pixelBytes: 3 * 32 * 32, classes: standardClasses.length };

/**
 * Reads all `data_batch_*.bin` (in order of name) and `test_batch.bin` of a folder, or the same files of the python
 * version, which have no extension. Class names come from `batches.meta.txt` or `batches.meta` if it exists. Normalized
 * by the training pixels. Throws a UserError for a missing, empty or incomplete file and for a label above 9.
 */
export function loadCifar10(dir: string): StoredDataset {
  const { dir: place, form, remarks } = foundPlace(dir, cifar10Source.forms, 'CIFAR-10');
  const trainFiles = readdirSync(place)
    .filter((name) => form.mark.test(name))
    .sort();
  const train = filesIn(place, trainFiles, 'CIFAR-10');
  const test = filesIn(place, [form === binary ? 'test_batch.bin' : 'test_batch'], 'CIFAR-10');
  return {
    name: 'cifar10',
    shape: [3, 32, 32],
    normalize: { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.243, 0.261] },
    ...(form === binary
      ? {
          classes: readClasses(join(place, 'batches.meta.txt'), standardClasses, 'CIFAR-10'),
          train: readRecords(train, layout),
          test: readRecords(test, layout),
        }
      : {
          classes: readClassNames(join(place, 'batches.meta'), 'label_names', standardClasses, 'CIFAR-10'),
          train: readBatches(train, 'labels', standardClasses.length),
          test: readBatches(test, 'labels', standardClasses.length),
        }),
    remarks,
  };
}

export const cifar10: DatasetEntry = {
  options: {},
  directory: 'data/cifar-10-batches-bin',
  forms: cifar10Source.forms,
  load: async ({ dir }, onProgress) => loadCifar10(await fetched(dir, cifar10Source, onProgress)),
};
