/**
 * CIFAR-10 (Krizhevsky 2009), binary version: a record is one label byte and 3072 pixel bytes, the red, green and blue
 * plane, each row by row. The number of records follows from the size of a file.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../utils/errors';
import type { Dataset, Split } from './dataset';

const pixelBytes = 3 * 32 * 32;
const recordBytes = 1 + pixelBytes;
const classCount = 10;
const standardClasses = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');

/**
 * Reads all `data_batch_*.bin` (in order of name) and `test_batch.bin` of a folder. The class names come from
 * `batches.meta.txt` where there is one. Normalisation is that of the training pixels. Throws a UserError for a missing,
 * empty or incomplete file and for a label above 9.
 */
export function loadCifar10(dir: string): Dataset {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw new UserError(`${dir}: not a folder`);
  const trainFiles = readdirSync(dir)
    .filter((name) => /^data_batch_.*\.bin$/.test(name))
    .sort();
  if (trainFiles.length === 0) throw new UserError(`${dir}: no data_batch_*.bin of the CIFAR-10 binary version in it`);
  if (!existsSync(join(dir, 'test_batch.bin'))) {
    throw new UserError(`${dir}: no test_batch.bin of the CIFAR-10 binary version in it`);
  }
  return {
    name: 'cifar10',
    classes: readClasses(join(dir, 'batches.meta.txt')),
    shape: [3, 32, 32],
    normalize: { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.243, 0.261] },
    train: readRecords(trainFiles.map((name) => join(dir, name))),
    test: readRecords([join(dir, 'test_batch.bin')]),
  };
}

/** One class name a line. */
function readClasses(path: string): string[] {
  if (!existsSync(path)) return standardClasses;
  const classes = readFileSync(path, 'utf8').split(/\s+/).filter(Boolean);
  if (classes.length !== classCount) {
    throw new UserError(`${path}: ${classes.length} class names, but CIFAR-10 has ${classCount}`);
  }
  return classes;
}

/** The records of some files as one split. */
function readRecords(paths: string[]): Split {
  const files = paths.map((path) => ({ path, bytes: readFileSync(path) }));
  for (const { path, bytes } of files) {
    if (bytes.length === 0) throw new UserError(`${path}: empty file`);
    if (bytes.length % recordBytes !== 0) {
      throw new UserError(`${path}: ${bytes.length} bytes is not a multiple of ${recordBytes}, the file is incomplete`);
    }
  }
  const size = files.reduce((sum, { bytes }) => sum + bytes.length / recordBytes, 0);
  const images = new Uint8Array(size * pixelBytes);
  const labels = new Uint8Array(size);
  let example = 0;
  for (const { path, bytes } of files) {
    for (let at = 0; at < bytes.length; at += recordBytes, example++) {
      const label = bytes[at]!;
      if (label >= classCount) {
        const record = at / recordBytes;
        throw new UserError(`${path}: record ${record} has label ${label}, labels are 0 to ${classCount - 1}`);
      }
      labels[example] = label;
      images.set(bytes.subarray(at + 1, at + recordBytes), example * pixelBytes);
    }
  }
  return { images, labels, size };
}
