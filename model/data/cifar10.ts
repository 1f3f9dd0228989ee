/**
 * CIFAR-10 (Krizhevsky 2009), binary version: a record is one label byte and 3072 pixel bytes, the red, green and blue
 * plane, each row by row. The number of records follows from the size of a file.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../utils/errors';
import type { StoredDataset } from './dataset';
import type { Source } from './download';
import { filesIn, readClasses, readRecords } from './records';

export const cifar10Source: Source = {
  files: [
    {
      url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
      md5: 'c32a1d4ab5d03f1284b67883e8d87530',
      wanted: /^cifar-10-batches-bin\/(data_batch_\d+\.bin|test_batch\.bin|batches\.meta\.txt)$/,
    },
  ],
  advice: 'put data_batch_*.bin and test_batch.bin of the CIFAR-10 binary version there, or set "data_dir"',
  forms: [{ mark: /^data_batch_.*\.bin$/, folders: ['cifar-10-batches-bin'] }],
};

const format = 'the CIFAR-10 binary version';
const standardClasses = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');
const layout = { labelBytes: 1, label: 0, pixelBytes: 3 * 32 * 32, classes: standardClasses.length };

/**
 * Reads all `data_batch_*.bin` (in order of name) and `test_batch.bin` of a folder. The class names come from
 * `batches.meta.txt` where there is one. Normalisation is that of the training pixels. Throws a UserError for a missing,
 * empty or incomplete file and for a label above 9.
 */
export function loadCifar10(dir: string): StoredDataset {
  filesIn(dir, [], format);
  const trainFiles = readdirSync(dir)
    .filter((name) => /^data_batch_.*\.bin$/.test(name))
    .sort();
  if (trainFiles.length === 0) throw new UserError(`${dir}: no data_batch_*.bin of ${format} in it`);
  const testFiles = filesIn(dir, ['test_batch.bin'], format);
  return {
    name: 'cifar10',
    classes: readClasses(join(dir, 'batches.meta.txt'), standardClasses, 'CIFAR-10'),
    shape: [3, 32, 32],
    normalize: { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.243, 0.261] },
    train: readRecords(filesIn(dir, trainFiles, format), layout),
    test: readRecords(testFiles, layout),
  };
}
