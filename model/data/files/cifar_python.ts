/**
 * The python versions of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): pickles of dicts with `data`, uint8 [N, 3072], each
 * row the red, green and blue plane of an image, and a list of labels.
 */
import { arrayIn, readPickle, textIn } from '../../../formats/numpy_pickle';
import { UserError } from '../../../utils/errors';
import { isThere } from '../../../utils/files';
import type { StoredSplit } from '../dataset';
import { checkedClasses } from './records';

const IMAGE_BYTES = 3 * 32 * 32;

/** The images of some files, one file after another, with the labels under a key. */
export function readBatches(paths: readonly string[], labelKey: string, classes: number): StoredSplit {
  const batches = paths.map((path) => readBatch(path, labelKey, classes));
  const size = batches.reduce((sum, { labels }) => sum + labels.length, 0);
  const images = new Uint8Array(size * IMAGE_BYTES);
  const labels = new Uint8Array(size);
  let at = 0;
  for (const batch of batches) {
    images.set(batch.images, at * IMAGE_BYTES);
    labels.set(batch.labels, at);
    at += batch.labels.length;
  }
  return { images, labels, size };
}

function readBatch(path: string, labelKey: string, classes: number): { images: Uint8Array; labels: Uint8Array } {
  const batch = dictIn(path);
  const data = arrayIn(batch.get('data'), path);
  if (data?.dtype !== 'uint8' || data.shape.length !== 2 || data.shape[1] !== IMAGE_BYTES || data.data.length === 0) {
    const found = data ? `${data.dtype} [${data.shape.join(', ')}]` : 'no array';
    throw new UserError(`${path}: "data" is ${found}, accepted is uint8 [N, ${IMAGE_BYTES}]`);
  }
  const stored = batch.get(labelKey);
  const numbers = Array.isArray(stored) ? (stored as unknown[]) : Array.from(arrayIn(stored, path)?.data ?? [], Number);
  const size = data.shape[0]!;
  if (numbers.length !== size) {
    throw new UserError(`${path}: ${numbers.length} labels under ${JSON.stringify(labelKey)} for ${size} images`);
  }
  const labels = Uint8Array.from(numbers, (label, i) => {
    if (Number.isInteger(label) && (label as number) >= 0 && (label as number) < classes) return label as number;
    throw new UserError(`${path}: element ${i} is the label ${shown(label)}, accepted are 0 to ${classes - 1}`);
  });
  return { images: data.data as Uint8Array, labels };
}

/** The class names under a key of a file; the standard ones without a file. */
export function readClassNames(
  path: string,
  key: string,
  standard: readonly string[],
  title: string,
): readonly string[] {
  if (!isThere(path)) return standard;
  const names = dictIn(path).get(key);
  const texts = Array.isArray(names) ? names.map(textIn) : [];
  const isWhole = texts.length > 0 && texts.every((text) => text !== undefined);
  if (!isWhole) throw new UserError(`${path}: no class names under ${JSON.stringify(key)}`);
  return checkedClasses(path, texts, standard, title);
}

function dictIn(path: string): Map<string | undefined, unknown> {
  const content = readPickle(path);
  if (!(content instanceof Map)) throw new UserError(`${path}: not a pickled dict, as CIFAR's files are`);
  return new Map([...(content as Map<unknown, unknown>)].map(([key, value]) => [textIn(key), value]));
}

function shown(label: unknown): string {
  return typeof label === 'number' ? String(label) : typeof label;
}
