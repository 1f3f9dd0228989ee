/** Files of fixed-size records, each some label bytes followed by the pixels of an image. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readBytes } from '../../../formats/binary';
import { UserError } from '../../../utils/errors';
import { isDirectory, isFile, isThere, reading, readText } from '../../../utils/files';
import type { StoredSplit } from '../dataset';

export interface RecordLayout {
  /** Bytes before the pixels. */
  readonly labelBytes: number;
  /** Which of these bytes is the label. */
  readonly label: number;
  readonly pixelBytes: number;
  readonly classes: number;
}

/** The records of some files, one file after another. Throws a UserError for a damaged file or a label out of range. */
export function readRecords(paths: readonly string[], layout: RecordLayout): StoredSplit {
  const { labelBytes, label: place, pixelBytes, classes } = layout;
  const recordBytes = labelBytes + pixelBytes;
  const sizes = paths.map((path) => {
    const { size: bytes } = statSync(path);
    if (bytes === 0) throw new UserError(`${path}: empty file`);
    refuseLarger(path, bytes, MAX_RECORD_BYTES);
    if (bytes % recordBytes !== 0) {
      throw new UserError(`${path}: ${bytes} bytes is not a multiple of ${recordBytes}: the file is incomplete`);
    }
    return bytes / recordBytes;
  });
  const size = sizes.reduce((sum, records) => sum + records, 0);
  const images = new Uint8Array(size * pixelBytes);
  const labels = new Uint8Array(size);
  let example = 0;
  for (const path of paths) {
    const bytes = readBytes(path);
    for (let at = 0; at < bytes.length; at += recordBytes, example++) {
      const label = bytes[at + place]!;
      if (label >= classes) {
        const record = at / recordBytes;
        throw new UserError(`${path}: record ${record} has the label ${label}, accepted are 0 to ${classes - 1}`);
      }
      labels[example] = label;
      images.set(bytes.subarray(at + labelBytes, at + recordBytes), example * pixelBytes);
    }
  }
  return { images, labels, size };
}

const PIECE = 2 ** 26;
/** More than any file of these data sets: the size of a sparse file costs nothing, but memory is allocated for it. */
const MAX_RECORD_BYTES = 2 ** 30;
const MAX_LARGE_BYTES = 2 ** 33;

function refuseLarger(path: string, bytes: number, most: number): void {
  if (bytes > most) throw new UserError(`${path}: ${bytes} bytes, accepted are up to ${most}`);
}

/** Reads a whole file, even above 2 GiB. */
export function readLarge(path: string): Uint8Array {
  const file = reading(path, () => openSync(path, 'r'));
  try {
    const { size } = fstatSync(file);
    refuseLarger(path, size, MAX_LARGE_BYTES);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < bytes.length;) {
      const count = readSync(file, bytes, at, Math.min(PIECE, bytes.length - at), at);
      if (count === 0) throw new UserError(`${path}: ends after ${at} of ${bytes.length} bytes`);
      at += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** The files of a data set in its folder; throws a UserError that names the first missing one. */
export function filesIn(dir: string, names: readonly string[], format: string): string[] {
  if (!isDirectory(dir)) throw new UserError(`${dir}: not a folder`);
  return names.map((name) => {
    const path = join(dir, name);
    if (!isFile(path)) {
      throw new UserError(`${dirname(path)}: contains no ${basename(path)} of ${format}`);
    }
    return path;
  });
}

/** The class names in a file, one per line, as many as the standard ones; the standard ones without a file. */
export function readClasses(path: string, standard: readonly string[], format: string): readonly string[] {
  if (!isThere(path)) return standard;
  return checkedClasses(path, readText(path).split(/\s+/).filter(Boolean), standard, format);
}

/**
 * Checks that there are as many class names as standard ones; throws a UserError that says where they start to differ.
 */
export function checkedClasses(
  path: string,
  classes: readonly string[],
  standard: readonly string[],
  format: string,
): readonly string[] {
  if (classes.length === standard.length) return classes;
  const first = Array.from(standard).findIndex((name, i) => classes[i] !== name);
  const [own, expected] = [classes, standard].map((names) => JSON.stringify(names[first] ?? 'none'));
  const difference =
    first < 0
      ? `after the last is ${JSON.stringify(classes[standard.length])}`
      : `number ${first} is ${own}, not ${expected}`;
  throw new UserError(`${path}: ${classes.length} class names, but ${format} has ${standard.length}: ${difference}`);
}
