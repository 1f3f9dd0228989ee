/**
 * STL-10 (Coates, Lee & Ng 2011), binary version: `…_X.bin` has images of 3 planes of 96 × 96 bytes, each plane column
 * by column; `…_y.bin` has one byte from 1 to 10 per image.
 */
import { join } from 'node:path';
import { readBytes } from '../../../formats/binary';
import { UserError } from '../../../utils/errors';
import { oneOf } from '../../../utils/schema_forms';
import type { StoredDataset, StoredSplit } from '../dataset';
import { fetched, type DatasetEntry } from '../dataset_entry';
import type { Source } from '../files/download';
import { foundPlace } from '../files/places';
import { transposePlanes } from '../files/planes';
import { filesIn, readClasses, readLarge } from '../files/records';

const stl10Source: Source = {
  files: [
    {
      url: 'https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz',
      md5: '91f7769df0f17e558f3565bffb0c7dfb',
      wanted: /^stl10_binary\/(train_X|train_y|test_X|test_y|unlabeled_X)\.bin$|^stl10_binary\/class_names\.txt$/,
    },
  ],
  advice:
    'put train_X.bin, train_y.bin, test_X.bin and test_y.bin of the STL-10 binary version there, or set "data_dir"',
  forms: [{ title: 'train_X.bin', mark: /^train_X\.bin$/, folders: ['stl10_binary'] }],
};

const format = 'the STL-10 binary version';
const SIDE = 96;
const imageBytes = 3 * SIDE * SIDE;
const standardClasses = 'airplane bird car cat deer dog horse monkey ship truck'.split(' ');

/**
 * Trains on the labeled images, or on the unlabeled ones of `unlabeled_X.bin`, whose labels are all 0 and have no
 * meaning; then the labeled ones are for validation.
 */
export function loadStl10(dir: string, train: 'labeled' | 'unlabeled'): StoredDataset {
  const { dir: place, remarks } = foundPlace(dir, stl10Source.forms, 'STL-10');
  const [trainImages, trainLabels, testImages, testLabels] = filesIn(
    place,
    ['train_X.bin', 'train_y.bin', 'test_X.bin', 'test_y.bin'],
    format,
  );
  const labeled = readSplit(trainImages!, trainLabels!);
  const unlabeled = train === 'unlabeled' ? readUnlabeled(filesIn(place, ['unlabeled_X.bin'], format)[0]!) : undefined;
  return {
    name: 'stl10',
    classes: readClasses(join(place, 'class_names.txt'), standardClasses, 'STL-10'),
    shape: [3, SIDE, SIDE],
    normalize: { mean: [0.4467, 0.4398, 0.4066], std: [0.2603, 0.2566, 0.2713] },
    train: unlabeled ?? labeled,
    ...(unlabeled && { validation: labeled }),
    test: readSplit(testImages!, testLabels!),
    remarks,
  };
}

function readSplit(imageFile: string, labelFile: string): StoredSplit {
  const images = readImages(imageFile);
  const size = images.length / imageBytes;
  const numbers = readBytes(labelFile);
  if (numbers.length !== size) throw new UserError(`${labelFile}: ${numbers.length} labels for ${size} images`);
  const wrong = numbers.findIndex((label) => label < 1 || label > standardClasses.length);
  if (wrong >= 0) throw new UserError(`${labelFile}: byte ${wrong} is ${numbers[wrong]}, accepted are 1 to 10`);
  return { images, labels: Uint8Array.from(numbers, (label) => label - 1), size };
}

function readUnlabeled(path: string): StoredSplit {
  const images = readImages(path);
  const size = images.length / imageBytes;
  return { images, labels: new Uint8Array(size), size };
}

/** Planes row by row. */
function readImages(path: string): Uint8Array {
  const images = readLarge(path);
  if (images.length === 0) throw new UserError(`${path}: empty file`);
  if (images.length % imageBytes !== 0) {
    throw new UserError(`${path}: ${images.length} bytes is not a multiple of ${imageBytes}: the file is incomplete`);
  }
  transposePlanes(images, SIDE);
  return images;
}

export const stl10: DatasetEntry<{ readonly train: 'labeled' | 'unlabeled' }> = {
  options: {
    train: oneOf(['labeled', 'unlabeled'], {
      default: 'labeled',
      title: 'What to train on; `"unlabeled"` is for the methods `unlabeled` and `embedding`.',
    }),
  },
  directory: 'data/stl10_binary',
  forms: stl10Source.forms,
  isUnlabeled: ({ train }) => train === 'unlabeled',
  load: async ({ dir, train }, onProgress) => loadStl10(await fetched(dir, stl10Source, onProgress), train),
};
