/**
 * MNIST (LeCun, Cortes & Burges 1998) and the sets in its form: Fashion-MNIST (Xiao, Rasul & Vollgraf 2017), KMNIST
 * (Clanuwat et al. 2018), QMNIST (Yadav & Bottou 2019) and EMNIST (Cohen et al. 2017), whose files have the images
 * transposed. All are IDX files.
 */
import { join } from 'node:path';
import { UserError } from '../../../utils/errors';
import { isThere } from '../../../utils/files';
import { integer, oneOf } from '../../../utils/schema_forms';
import type { ImageShape, StoredDataset, StoredSplit } from '../dataset';
import { fetched, type DatasetEntry } from '../dataset_entry';
import type { Source } from '../files/download';
import { readIdx, type IdxType } from '../files/idx';
import { foundPlace, type Form } from '../files/places';
import { transposePlanes } from '../files/planes';
import { filesIn } from '../files/records';

export type MnistName = 'mnist' | 'fashion_mnist' | 'kmnist' | 'qmnist' | 'emnist';

const emnistSplits = ['balanced', 'byclass', 'bymerge', 'letters', 'digits', 'mnist'] as const;

export type EmnistSplit = (typeof emnistSplits)[number];

interface Variant {
  readonly title: string;
  /** The name of its folder in torchvision. */
  readonly folder: string;
  /** Training images and labels, test images and labels. */
  readonly files: readonly string[];
  /** Their origin, with the MD5 of the compressed files; some are available only in one large archive. */
  readonly url?: string;
  readonly md5?: readonly string[];
  readonly advice?: string;
  readonly classes: readonly string[];
  readonly mean: number;
  readonly std: number;
  readonly augmentation: string;
  /** The number of the first class in the files; 0 by default. */
  readonly firstLabel?: number;
  /** For labels that are rows of several numbers, with the class first. */
  readonly labelType?: IdxType;
  readonly isTransposed?: boolean;
}

const digits = [...'0123456789'];
const capitals = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
const letters = [...'abcdefghijklmnopqrstuvwxyz'];
/** Lower-case letters that look different from their capitals. */
const merged = [...digits, ...capitals, ...'abdefghnqrt'];

const emnistClasses: Readonly<Record<EmnistSplit, readonly string[]>> = {
  balanced: merged,
  byclass: [...digits, ...capitals, ...letters],
  bymerge: merged,
  letters,
  digits,
  mnist: digits,
};

const files = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
];

const variants: Readonly<Record<Exclude<MnistName, 'emnist'>, Variant>> = {
  mnist: {
    title: 'MNIST',
    folder: 'MNIST',
    files,
    url: 'https://ossci-datasets.s3.amazonaws.com/mnist/',
    md5: [
      'f68b3c2dcbeaaa9fbdd348bbdeb94873',
      'd53e105ee54ea40749a09fcbcd1e9432',
      '9fb629c4189551a2d022fa330f9573f3',
      'ec29112dd5afa0611ce80d1b7f02629c',
    ],
    classes: digits,
    mean: 0.1307,
    std: 0.3081,
    // A digit in the mirror is another sign.
    augmentation: 'crop',
  },
  fashion_mnist: {
    title: 'Fashion-MNIST',
    folder: 'FashionMNIST',
    files,
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
  kmnist: {
    title: 'KMNIST',
    folder: 'KMNIST',
    files,
    url: 'http://codh.rois.ac.jp/kmnist/dataset/kmnist/',
    md5: [
      'bdb82020997e1d708af4cf47b453dcf7',
      'e144d726b3acfaa3e44228e80efcd344',
      '5c965bf0a639b31b8f53240b1b52f4d7',
      '7320c461ea6c1c855c0b718fb2a4b134',
    ],
    classes: 'o ki su tsu na ha ma ya re wo'.split(' '),
    mean: 0.1918,
    std: 0.3483,
    augmentation: 'crop',
  },
  qmnist: {
    title: 'QMNIST',
    folder: 'QMNIST',
    files: [
      'qmnist-train-images-idx3-ubyte',
      'qmnist-train-labels-idx2-int',
      'qmnist-test-images-idx3-ubyte',
      'qmnist-test-labels-idx2-int',
    ],
    url: 'https://raw.githubusercontent.com/facebookresearch/qmnist/master/',
    md5: [
      'ed72d4157d28c017586c42bc6afe6370',
      '0058f8dd561b90ffdd0f734c6a30e5e4',
      '1394631089c404de565df7b7aeaf9412',
      '5b5b05890a5e13444e108efe57b788aa',
    ],
    classes: digits,
    mean: 0.1307,
    std: 0.3081,
    augmentation: 'crop',
    labelType: 'integer',
  },
};

function variantOf(name: MnistName, split: EmnistSplit): Variant {
  if (name !== 'emnist') return variants[name];
  return {
    title: `EMNIST ${split}`,
    folder: 'EMNIST',
    files: ['train', 'test'].flatMap((part) =>
      ['images-idx3', 'labels-idx1'].map((kind) => `emnist-${split}-${part}-${kind}-ubyte`),
    ),
    advice: 'unpack gzip.zip of https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip there, or set "data_dir"',
    classes: emnistClasses[split],
    mean: 0.1736,
    std: 0.3317,
    augmentation: 'crop',
    ...(split === 'letters' && { firstLabel: 1 }),
    isTransposed: true,
  };
}

function mnistSource(name: MnistName, split: EmnistSplit = 'balanced'): Source {
  const variant = variantOf(name, split);
  const { title, url = '', md5 = [] } = variant;
  return {
    files: md5.map((digest, i) => ({ url: `${url}${variant.files[i]!}.gz`, md5: digest })),
    advice: variant.advice ?? `put ${variant.files.join(', ')} of ${title} there, plain or as .gz, or set "data_dir"`,
    forms: [formOf(variant)],
  };
}

/** The folders that torchvision uses below its root, and that of EMNIST's archive. */
function formOf({ folder, files: names }: Variant): Form {
  return {
    title: names[0]!,
    mark: new RegExp(`^(${spellings(names[0]!).join('|')})$`),
    folders: ['raw', `${folder}/raw`, folder, 'gzip'],
  };
}

/** File names with a dot or a hyphen before the type, plain or compressed. */
function spellings(file: string): string[] {
  return [file, file.replace('-idx', '.idx')].flatMap((name) => [name, `${name}.gz`]);
}

/** Reads the four files of a folder. Sizes come from the headers; one channel; `pad` black pixels on every side. */
export function loadMnist(dir: string, name: MnistName, pad = 0, split: EmnistSplit = 'balanced'): StoredDataset {
  const variant = variantOf(name, split);
  const { title, classes, mean, std, augmentation } = variant;
  const { dir: place, remarks } = foundPlace(dir, [formOf(variant)], title);
  const stored = variant.files.map(
    (file) => spellings(file).find((spelling) => isThere(join(place, spelling))) ?? `${file}.gz`,
  );
  const [trainImages, trainLabels, testImages, testLabels] = filesIn(place, stored, title);
  const train = readSplit(trainImages!, trainLabels!, variant, pad);
  const test = readSplit(testImages!, testLabels!, variant, pad);
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
    remarks,
  };
}

function readSplit(
  imageFile: string,
  labelFile: string,
  { classes, firstLabel = 0, labelType = 'byte', isTransposed }: Variant,
  pad: number,
): { split: StoredSplit; shape: ImageShape } {
  const { lengths, elements } = readIdx(imageFile, 3);
  const images = elements as Uint8Array;
  const [size = 0, height = 0, width = 0] = lengths;
  const numbers = readIdx(labelFile, labelType === 'byte' ? 1 : 2, labelType);
  const [count = 0, columns = 1] = numbers.lengths;
  if (count !== size) throw new UserError(`${labelFile}: ${count} labels for ${size} images of ${imageFile}`);
  const labels = Uint8Array.from({ length: size }, (_, i) => {
    const label = numbers.elements[i * columns]! - firstLabel;
    if (label >= 0 && label < classes.length) return label;
    const accepted = `${firstLabel} to ${firstLabel + classes.length - 1}`;
    throw new UserError(`${labelFile}: element ${i} is the label ${label + firstLabel}, accepted are ${accepted}`);
  });
  if (isTransposed) {
    if (height !== width) throw new UserError(`${imageFile}: images of ${height} × ${width}, accepted are square ones`);
    transposePlanes(images, height);
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

const pad = integer({ minimum: 0, maximum: 64, default: 0, title: 'Black pixels added on each side.' });

const mnistEntry = (name: Exclude<MnistName, 'emnist'>): DatasetEntry<{ readonly pad: number }> => ({
  options: { pad },
  directory: `data/${name.replace('_', '-')}`,
  forms: mnistSource(name).forms,
  load: async ({ dir, pad: added }, onProgress) =>
    loadMnist(await fetched(dir, mnistSource(name), onProgress), name, added),
});

export const mnist = mnistEntry('mnist');
export const fashionMnist = mnistEntry('fashion_mnist');
export const kmnist = mnistEntry('kmnist');
export const qmnist = mnistEntry('qmnist');

export const emnist: DatasetEntry<{ readonly pad: number; readonly split: EmnistSplit }> = {
  options: { pad, split: oneOf(emnistSplits, { default: 'balanced', title: 'Which of its data sets.' }) },
  directory: 'data/emnist',
  forms: mnistSource('emnist').forms,
  load: async ({ dir, pad: added, split }, onProgress) =>
    loadMnist(await fetched(dir, mnistSource('emnist', split), onProgress), 'emnist', added, split),
};
