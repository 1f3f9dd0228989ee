/**
 * Street View House Numbers (Netzer et al. 2011), cropped digits: MATLAB files with `X`, column-major uint8 [32, 32, 3,
 * N], so that an image is three planes in column-major order, and `y`, N numbers, where 10 stands for the digit 0.
 */
import { readMat } from '../../../formats/mat';
import { UserError } from '../../../utils/errors';
import { oneOf } from '../../../utils/schema_forms';
import type { ImageShape, StoredDataset, StoredSplit } from '../dataset';
import { fetched, type DatasetEntry } from '../dataset_entry';
import type { Source } from '../files/download';
import { foundPlace, type Form } from '../files/places';
import { transposePlanes } from '../files/planes';
import { filesIn } from '../files/records';

const [trainFile, testFile, extraFile] = ['train_32x32.mat', 'test_32x32.mat', 'extra_32x32.mat'] as const;
const url = 'http://ufldl.stanford.edu/housenumbers/';
const forms: readonly Form[] = [{ title: trainFile, mark: /^train_32x32\.mat$/, folders: ['svhn', 'SVHN'] }];

function svhnSource(train: 'train' | 'train+extra'): Source {
  return {
    files: [
      { url: url + trainFile, md5: 'e26dedcc434d2e4c54c9b2d4a06d8373' },
      { url: url + testFile, md5: 'eb5a983be6a315427106f1b164d9cef3' },
      ...(train === 'train+extra' ? [{ url: url + extraFile, md5: 'a93ce644f1a588dc4d68dda5feec44a7' }] : []),
    ],
    advice: `put ${trainFile} and ${testFile} of SVHN there, or set "data_dir"`,
    forms,
  };
}

/** Trains on the 73,257 images of the training set, optionally also on the 531,131 easier ones of `extra`. */
export async function loadSvhn(dir: string, train: 'train' | 'train+extra' = 'train'): Promise<StoredDataset> {
  const { dir: place, remarks } = foundPlace(dir, forms, 'SVHN');
  const names = [testFile, trainFile, ...(train === 'train+extra' ? [extraFile] : [])];
  const splits: { split: StoredSplit; shape: ImageShape }[] = [];
  for (const path of filesIn(place, names, 'SVHN')) {
    const read = await readSplit(path);
    const [first] = splits;
    if (first && first.shape.join() !== read.shape.join()) {
      throw new UserError(
        `${path}: images of ${read.shape.slice(1).join(' × ')}, but others have ${first.shape.slice(1).join(' × ')}`,
      );
    }
    splits.push(read);
  }
  const [test, ...parts] = splits.map(({ split }) => split);
  return {
    name: 'svhn',
    classes: [...'0123456789'],
    shape: splits[0]!.shape,
    normalize: { mean: [0.4377, 0.4438, 0.4728], std: [0.198, 0.201, 0.197] },
    // A digit in the mirror is another sign.
    augmentation: 'crop',
    train: parts.length === 1 ? parts[0]! : joined(parts),
    test: test!,
    remarks,
  };
}

async function readSplit(path: string): Promise<{ split: StoredSplit; shape: ImageShape }> {
  const { X, y } = await readMat(path, ['X', 'y']);
  const [side = 0, width = 0, channels = 0, size = 1] = X.shape;
  if (
    !(X.data instanceof Uint8Array) ||
    side !== width ||
    channels !== 3 ||
    X.shape.length > 4 ||
    X.data.length === 0
  ) {
    throw new UserError(`${path}: "X" has the shape [${X.shape.join(', ')}], accepted is uint8 [32, 32, 3, N]`);
  }
  if (y.data.length !== size) throw new UserError(`${path}: ${y.data.length} labels for ${size} images`);
  const labels = Uint8Array.from(y.data, (number, i) => {
    if (Number.isInteger(number) && number >= 0 && number <= 10) return number % 10;
    throw new UserError(`${path}: element ${i} of "y" is ${number}, accepted are 1 to 10`);
  });
  transposePlanes(X.data, side);
  return { split: { images: X.data, labels, size }, shape: [3, side, side] };
}

function joined(parts: readonly StoredSplit[]): StoredSplit {
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const images = new Uint8Array(parts.reduce((sum, part) => sum + part.images.length, 0));
  const labels = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    images.set(part.images, (at * images.length) / size);
    labels.set(part.labels, at);
    at += part.size;
  }
  return { images, labels, size };
}

export const svhn: DatasetEntry<{ readonly train: 'train' | 'train+extra' }> = {
  options: {
    train: oneOf(['train', 'train+extra'], {
      default: 'train',
      title: 'What to train on: 73,257 images, or 531,131 easier ones as well.',
    }),
  },
  directory: 'data/svhn',
  forms,
  load: async ({ dir, train }, onProgress) => loadSvhn(await fetched(dir, svhnSource(train), onProgress), train),
};
