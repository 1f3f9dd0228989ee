/**
 * CIFAR-10.1 (Recht, Roelofs, Schmidt & Shankar, "Do CIFAR-10 classifiers generalize to CIFAR-10?", 2018): a new test
 * set for the classes of CIFAR-10 with 2,000 images in version 6, 200 per class, and 2,021 in version 4. The training
 * images are those of CIFAR-10.
 */
import { readNpy } from '../../../formats/npy';
import { UserError } from '../../../utils/errors';
import { oneOf, text } from '../../../utils/schema_forms';
import type { StoredDataset, StoredSplit } from '../dataset';
import { fetched, type DatasetEntry } from '../dataset_entry';
import { channelsFirst } from '../files/channels_first';
import type { Source } from '../files/download';
import { filesIn } from '../files/records';
import { cifar10, cifar10Source, loadCifar10 } from './cifar10';

const url = 'https://github.com/modestyachts/CIFAR-10.1/raw/master/datasets/';

export type Cifar101Version = 'v4' | 'v6';

const filesOf = (version: Cifar101Version) => ['data', 'labels'].map((kind) => `cifar10.1_${version}_${kind}.npy`);

/** Only the files of version 6 have known digests and can be downloaded. */
const digests = [
  '2997188e5816f5bd545dc77771b6227828c28146049fcecf3fa10775474cacc6',
  'ae40beda001693674edc94d925ee8268cfe68905f8f9aff800c8dcdfcd6c9448',
];

function cifar101Source(version: Cifar101Version = 'v6'): Source {
  const names = filesOf(version);
  return {
    files: version === 'v6' ? names.map((name, i) => ({ url: url + name, sha256: digests[i]! })) : [],
    advice: `put ${names.join(' and ')} there, or set "test_dir"`,
    forms: [],
  };
}

/** CIFAR-10 in the folder `dir`, with the test images in `testDir` instead of its own. */
export function loadCifar101(dir: string, testDir: string, version: Cifar101Version = 'v6'): StoredDataset {
  const [imageFile, labelFile] = filesIn(testDir, filesOf(version), 'CIFAR-10.1');
  return { ...loadCifar10(dir), name: 'cifar10.1', test: readArrays(imageFile!, labelFile!) };
}

/** Images, uint8 (N, 32, 32, 3), and N class numbers from 0 to 9. */
function readArrays(imageFile: string, labelFile: string): StoredSplit {
  const pixels = readNpy(imageFile);
  const [size = 0, ...sides] = pixels.shape;
  if (pixels.dtype !== 'uint8' || sides.join() !== '32,32,3') {
    const found = `${pixels.dtype} [${pixels.shape.join(', ')}]`;
    throw new UserError(`${imageFile}: holds ${found}, accepted is uint8 [N, 32, 32, 3]`);
  }
  const numbers = readNpy(labelFile);
  if (numbers.shape.join() !== String(size)) {
    throw new UserError(`${labelFile}: has the shape [${numbers.shape.join(', ')}], accepted is [${size}]`);
  }
  const classes = Array.from(numbers.data, Number);
  const wrong = classes.findIndex((label) => !Number.isInteger(label) || label < 0 || label > 9);
  if (wrong >= 0) {
    throw new UserError(`${labelFile}: element ${wrong} is the label ${classes[wrong]}, accepted are 0 to 9`);
  }
  return { images: channelsFirst(pixels.data as Uint8Array, 32 * 32), labels: Uint8Array.from(classes), size };
}

export interface Cifar101Params {
  readonly test_dir: string;
  readonly version?: Cifar101Version;
}

export const cifar101: DatasetEntry<Cifar101Params> = {
  options: {
    test_dir: text({ default: 'data/cifar-10.1', title: 'Directory of the test images.' }),
    version: oneOf(['v4', 'v6'], { title: 'Which test images; `"v6"` by default.' }),
  },
  directory: cifar10.directory!,
  load: async ({ dir, test_dir: testDir, version }, onProgress) =>
    loadCifar101(
      await fetched(dir, cifar10Source, onProgress),
      await fetched(testDir, cifar101Source(version), onProgress),
      version,
    ),
};
