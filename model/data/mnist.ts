/**
 * MNIST (LeCun, Cortes & Burges 1998) and Fashion-MNIST (Xiao, Rasul & Vollgraf 2017): IDX files, plain or as `.gz`. An IDX
 * file is two zero bytes, the element type (8: unsigned byte), the number of axes, the length of each axis (big-endian 32
 * bit), and the elements.
 */
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readBytes } from '../../utils/binary';
import { messageOf, UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
import type { ImageShape, StoredDataset, StoredSplit } from './dataset';
import type { Source } from './download';
import { filesIn } from './records';

export type MnistName = 'mnist' | 'fashion_mnist';

interface Variant {
  readonly title: string;
  readonly url: string;
  /** MD5 of the four archives, in the order of `files`. */
  readonly md5: readonly string[];
  readonly classes: readonly string[];
  readonly mean: number;
  readonly std: number;
  readonly augmentation: string;
}

const variants: Readonly<Record<MnistName, Variant>> = {
  mnist: {
    title: 'MNIST',
    url: 'https://ossci-datasets.s3.amazonaws.com/mnist/',
    md5: [
      'f68b3c2dcbeaaa9fbdd348bbdeb94873',
      'd53e105ee54ea40749a09fcbcd1e9432',
      '9fb629c4189551a2d022fa330f9573f3',
      'ec29112dd5afa0611ce80d1b7f02629c',
    ],
    classes: [...'0123456789'],
    mean: 0.1307,
    std: 0.3081,
    // A digit in the mirror is another sign.
    augmentation: 'crop',
  },
  fashion_mnist: {
    title: 'Fashion-MNIST',
    url: 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
    md5: [
      '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
      '25c81989df183df01b3e8a0aad5dffbe',
      'bef4ecab320f06d8554ea6380940ec79',
      'bb300cfdad3c16e7a12a480ee83cd310',
    ],
    classes: ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
    mean: 0.286,
    std: 0.353,
    augmentation: 'crop+flip',
  },
};

const files = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
] as const;

export function mnistSource(name: MnistName): Source {
  const { title, url, md5 } = variants[name];
  return {
    files: files.map((file, i) => ({ url: `${url}${file}.gz`, md5: md5[i]! })),
    advice: `put ${files.join(', ')} of ${title} there, plain or as .gz, or set "data_dir"`,
  };
}

/** Reads the four files of a folder. Sizes come from their headers; one channel; `pad` black pixels on every side. */
export function loadMnist(dir: string, name: MnistName, pad = 0): StoredDataset {
  const { title, classes, mean, std, augmentation } = variants[name];
  const stored = files.map((file) => (isThere(join(dir, file)) ? file : `${file}.gz`));
  const [trainImages, trainLabels, testImages, testLabels] = filesIn(dir, stored, title);
  const train = readSplit(trainImages!, trainLabels!, classes.length, pad);
  const test = readSplit(testImages!, testLabels!, classes.length, pad);
  const [ours, theirs] = [test, train].map(({ shape }) => shape.slice(1).join(' × '));
  if (ours !== theirs) throw new UserError(`${testImages!}: images of ${ours}, but training images have ${theirs}`);
  return {
    name,
    classes,
    shape: train.shape,
    normalize: { mean: [mean], std: [std] },
    augmentation,
    train: train.split,
    test: test.split,
  };
}

function readSplit(
  imageFile: string,
  labelFile: string,
  classes: number,
  pad: number,
): { split: StoredSplit; shape: ImageShape } {
  const { lengths, elements: images } = readIdx(imageFile, 3);
  const [size = 0, height = 0, width = 0] = lengths;
  const { elements: labels } = readIdx(labelFile, 1);
  if (labels.length !== size) {
    throw new UserError(`${labelFile}: ${labels.length} labels for ${size} images of ${imageFile}`);
  }
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw new UserError(`${labelFile}: element ${wrong} is the label ${labels[wrong]}, labels are 0 to ${classes - 1}`);
  }
  const shape: ImageShape = [1, height + 2 * pad, width + 2 * pad];
  return { split: { images: padded(images, [height, width], pad), labels, size }, shape };
}

function padded(images: Uint8Array, [height, width]: readonly [number, number], pad: number): Uint8Array {
  if (pad === 0) return images;
  const side = width + 2 * pad;
  const out = new Uint8Array((images.length / (height * width)) * (height + 2 * pad) * side);
  for (let from = 0; from < images.length; from += width) {
    const [image, y] = [Math.floor(from / (height * width)), (from / width) % height];
    out.set(images.subarray(from, from + width), (image * (height + 2 * pad) + pad + y) * side + pad);
  }
  return out;
}

const UNSIGNED_BYTE = 8;

/** Bytes that a compressed file may hold; the largest of the MNISTs takes 47 MB. */
const MAX_BYTES = 2 ** 30;

/** An IDX file of unsigned bytes with so many axes, none of them empty. */
function readIdx(path: string, axes: number): { lengths: number[]; elements: Uint8Array } {
  let bytes = Buffer.from(readBytes(path));
  if (path.endsWith('.gz')) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
    } catch (error) {
      const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      const reason = isTooLarge ? `it holds more than ${MAX_BYTES} bytes` : messageOf(error);
      throw new UserError(`${path}: not a whole gzip file: ${reason}`);
    }
  }
  const start = 4 + 4 * axes;
  const magic = [0, 0, UNSIGNED_BYTE, axes];
  if (bytes.length < start || !magic.every((byte, i) => bytes[i] === byte)) {
    throw new UserError(`${path}: not an IDX file of unsigned bytes with ${axes} axes`);
  }
  const lengths = Array.from({ length: axes }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const expected = start + lengths.reduce((product, length) => product * length, 1);
  if (bytes.length !== expected || expected === start) {
    const shape = lengths.join(' × ');
    throw new UserError(`${path}: ${bytes.length} bytes, but ${shape} elements take ${expected}, the file is damaged`);
  }
  return { lengths, elements: new Uint8Array(bytes.subarray(start)) };
}
