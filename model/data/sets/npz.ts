/**
 * Images and labels as NumPy arrays in one file: those of MedMNIST and Keras, and others with the same array names or
 * with names in `"arrays"`. Images are uint8 [N, H, W], [N, H, W, C] or [N, C, H, W] with one or three channels; labels
 * are numbers from 0, [N] or [N, 1], or one-hot rows.
 */
import type { NdArray } from '../../../formats/ndarray';
import { Npz } from '../../../formats/npz';
import { UserError } from '../../../utils/errors';
import { object, text, type Options } from '../../../utils/schema_forms';
import type { ImageShape, StoredDataset, StoredSplit } from '../dataset';
import type { DatasetEntry } from '../dataset_entry';
import { channelsFirst } from '../files/channels_first';
import { heldOutOptions, type HeldOutParams } from '../files/held_out';
import type { Part } from '../files/parts';
import { storedDataset } from '../files/stored';

/** Arrays of images and labels in a file of NumPy. */
export interface NpzParams extends HeldOutParams {
  readonly name: 'npz';
  readonly file: string;
  /** The names of images and labels by split; the usual ones by default. */
  readonly arrays?: { train: string[]; val?: string[]; test?: string[] };
}

type Pair = readonly [images: string, labels: string];

/** Names of arrays, lower-cased: MedMNIST's, those of keras.datasets, and of data sets without splits. */
const conventions: readonly (Readonly<Partial<Record<Part, readonly Pair[]>>> & { train: readonly Pair[] })[] = [
  {
    train: [['train_images', 'train_labels']],
    val: [['val_images', 'val_labels']],
    test: [['test_images', 'test_labels']],
  },
  {
    train: [['x_train', 'y_train']],
    val: [
      ['x_val', 'y_val'],
      ['x_valid', 'y_valid'],
    ],
    test: [['x_test', 'y_test']],
  },
  {
    train: [
      ['images', 'labels'],
      ['data', 'labels'],
      ['x', 'y'],
      ['image', 'label'],
    ],
  },
];

/** More than any data set; limits what a label in a damaged file can claim. */
const MAX_CLASSES = 2 ** 16;

/** Reads the arrays of a file. Without test images, holds out a fraction of the training images. */
export async function loadNpz({ file, arrays, test, seed }: NpzParams): Promise<StoredDataset> {
  const npz = await Npz.open(file);
  try {
    const pairs = arrays ? given(file, npz.names, arrays) : usual(file, npz.names);
    const splits = new Map<Part, Labelled>();
    for (const [part, [images, labels]] of pairs) {
      const read = splitOf(file, [images, await npz.read(images)], [labels, await npz.read(labels)]);
      const { shape } = splits.get('train') ?? read;
      if (read.shape.join() !== shape.join()) {
        throw new UserError(
          `${file}: ${part} has images [${read.shape.join(', ')}], but train has [${shape.join(', ')}]`,
        );
      }
      splits.set(part, read);
    }
    const { split: train, shape } = splits.get('train')!;
    const classes = [...splits.values()].reduce((most, { classes: own }) => Math.max(most, own), 0);
    const names = Array.from({ length: classes }, (_, i) => String(i));
    const [val, tested] = [splits.get('val')?.split, splits.get('test')?.split];
    return storedDataset(
      { name: 'npz', place: file, classes: names, shape },
      { train, ...(val && { val }), ...(tested && { test: tested }) },
      { test, seed },
    );
  } finally {
    npz.close();
  }
}

function given(file: string, names: readonly string[], arrays: NonNullable<NpzParams['arrays']>): Map<Part, Pair> {
  const pairs = new Map<Part, Pair>();
  for (const part of ['train', 'val', 'test'] as const) {
    const pair = arrays[part];
    const missing = pair?.find((name) => !names.includes(name));
    if (missing !== undefined)
      throw new UserError(`${file}: contains no array ${JSON.stringify(missing)}: ${shown(names)}`);
    if (pair) pairs.set(part, [pair[0]!, pair[1]!]);
  }
  return pairs;
}

function usual(file: string, names: readonly string[]): Map<Part, Pair> {
  const byName = new Map(names.map((name) => [name.toLowerCase(), name]));
  for (const convention of conventions) {
    const pairs = new Map<Part, Pair>();
    for (const part of ['train', 'val', 'test'] as const) {
      const pair = convention[part]?.find((both) => both.every((name) => byName.has(name)));
      if (pair) pairs.set(part, [byName.get(pair[0])!, byName.get(pair[1])!]);
    }
    if (pairs.has('train')) return pairs;
  }
  throw new UserError(
    `${file}: ${shown(names)}; name them: "arrays": {"train": [IMAGES, LABELS], "test": [IMAGES, LABELS]}`,
  );
}

function shown(names: readonly string[]): string {
  const some = names.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 40)));
  return `its arrays are ${some.join(', ') || 'none'}${names.length > 8 ? ' and more' : ''}`;
}

interface Labelled {
  readonly split: StoredSplit;
  readonly shape: ImageShape;
  /** The highest label plus one, or the length of a one-hot row. */
  readonly classes: number;
}

function splitOf(file: string, images: readonly [string, NdArray], labels: readonly [string, NdArray]): Labelled {
  const { pixels, shape, size } = imagesOf(file, ...images);
  const read = labelsOf(file, labels[0], labels[1], size);
  return { split: { images: pixels, labels: read.labels, size }, shape, classes: read.classes };
}

function imagesOf(file: string, name: string, { dtype, shape, data }: NdArray) {
  const [size = 0, ...sides] = shape;
  const found = `${file}: ${JSON.stringify(name)} is ${dtype} [${shape.join(', ')}]`;
  if (dtype !== 'uint8') {
    const advice = dtype.startsWith('float')
      ? ': if values are from 0 to 1, save them as (255 * x).astype("uint8")'
      : '';
    throw new UserError(`${found}, accepted are uint8 images${advice}`);
  }
  const pixels = data as Uint8Array;
  const isChannels = (length: number | undefined) => length === 1 || length === 3;
  const [a = 0, b = 0, c = 0] = sides;
  if (pixels.length === 0) throw new UserError(`${found}, but has no images`);
  if (sides.length === 2) return { size, pixels, shape: [1, a, b] as const };
  if (sides.length === 3 && isChannels(c)) {
    return { size, pixels: c === 1 ? pixels : channelsFirst(pixels, a * b), shape: [c, a, b] as const };
  }
  if (sides.length === 3 && isChannels(a)) return { size, pixels, shape: [a, b, c] as const };
  throw new UserError(`${found}, accepted are [N, H, W], [N, H, W, C] and [N, C, H, W] with 1 or 3 channels C`);
}

function labelsOf(file: string, name: string, { shape, data }: NdArray, size: number) {
  const place = `${file}: ${JSON.stringify(name)}`;
  const [rows = 0, columns = 1, ...more] = shape;
  if (rows !== size || columns === 0 || more.length > 0) {
    throw new UserError(
      `${place} has the shape [${shape.join(', ')}], accepted are [${size}], [${size}, 1] and [${size}, classes]`,
    );
  }
  const value = (i: number) => Number(data[i]);
  if (columns > 1) {
    return {
      classes: columns,
      labels: Int32Array.from({ length: size }, (_, row) => hotOf(place, value, row, columns)),
    };
  }
  let classes = 0;
  const labels = Int32Array.from({ length: size }, (_, i) => {
    const label = value(i);
    if (!Number.isInteger(label) || label < 0 || label >= MAX_CLASSES) {
      throw new UserError(`${place}: element ${i} is the label ${label}, accepted are integers from 0`);
    }
    classes = Math.max(classes, label + 1);
    return label;
  });
  return { classes, labels };
}

/** The position of the 1 in a one-hot row. */
function hotOf(place: string, value: (i: number) => number, row: number, columns: number): number {
  let hot = -1;
  for (let column = 0; column < columns; column++) {
    const own = value(row * columns + column);
    if (own === 0) continue;
    if (own !== 1 || hot >= 0) hot = columns;
    else hot = column;
  }
  if (hot >= 0 && hot < columns) return hot;
  throw new UserError(
    `${place}: row ${row} of ${columns} labels is not one-hot: images with several classes or none are not supported`,
  );
}

const pair: Options[string] = { type: 'array', items: text(), minItems: 2, maxItems: 2 };

export const npz: DatasetEntry<NpzParams> = {
  options: {
    file: text({ title: 'The file.' }),
    arrays: object({ train: pair, val: pair, test: pair }, ['train'], {
      title:
        'Names of the images and labels of each split, such as `{ "train": ["x", "y"] }`; the usual names by default.',
    }),
    ...heldOutOptions,
  },
  required: ['file'],
  load: loadNpz,
};
