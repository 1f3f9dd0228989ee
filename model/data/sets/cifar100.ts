/**
 * CIFAR-100 (Krizhevsky 2009). In the binary version a record is a byte with the coarse label (20 superclasses), one with the
 * fine label (100 classes), and 3072 pixel bytes as in CIFAR-10.
 */
import { join } from 'node:path';
import { oneOf } from '../../../utils/schema_forms';
import type { StoredDataset } from '../dataset';
import { fetched, type DatasetEntry } from '../dataset_entry';
import { readBatches, readClassNames } from '../files/cifar_python';
import type { Source } from '../files/download';
import { foundPlace } from '../files/places';
import { filesIn, readClasses, readRecords } from '../files/records';

export type Cifar100Labels = 'fine' | 'coarse';

const binary = { title: 'train.bin', mark: /^train\.bin$/, folders: ['cifar-100-binary'] };
const python = { title: 'train', mark: /^train$/, folders: ['cifar-100-python'] };

const cifar100Source: Source = {
  files: [
    {
      url: 'https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz',
      md5: '03b5dce01913d631647c71ecec9e9cb8',
      wanted: /^cifar-100-binary\/(train\.bin|test\.bin|(fine|coarse)_label_names\.txt)$/,
    },
  ],
  advice: 'put train.bin and test.bin of the CIFAR-100 binary version there, or set "data_dir"',
  forms: [binary, python],
};

/** In the order of their numbers, as in the archive's two lists of names. */
const standardClasses: Readonly<Record<Cifar100Labels, readonly string[]>> = {
  coarse: (
    'aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices ' +
    'household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes ' +
    'large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees ' +
    'vehicles_1 vehicles_2'
  ).split(' '),
  fine: (
    'apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can ' +
    'castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin ' +
    'elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster ' +
    'man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck ' +
    'pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk ' +
    'skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger ' +
    'tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm'
  ).split(' '),
};

/**
 * Reads `train.bin` and `test.bin`, or the same files of the python version, which have no extension; class names come
 * from `<labels>_label_names.txt` or `meta` if it exists.
 */
export function loadCifar100(dir: string, labels: Cifar100Labels): StoredDataset {
  const { dir: place, form, remarks } = foundPlace(dir, cifar100Source.forms, 'CIFAR-100');
  const title = `CIFAR-100 with ${labels} labels`;
  const standard = standardClasses[labels];
  const read = (part: 'train' | 'test') => {
    const [path] = filesIn(place, [form === binary ? `${part}.bin` : part], 'CIFAR-100');
    if (form !== binary) return readBatches([path!], `${labels}_labels`, standard.length);
    const label = labels === 'coarse' ? 0 : 1;
    return readRecords([path!], { labelBytes: 2, label, pixelBytes: 3 * 32 * 32, classes: standard.length });
  };
  return {
    name: 'cifar100',
    classes:
      form === binary
        ? readClasses(join(place, `${labels}_label_names.txt`), standard, title)
        : readClassNames(join(place, 'meta'), `${labels}_label_names`, standard, title),
    shape: [3, 32, 32],
    normalize: { mean: [0.5071, 0.4865, 0.4409], std: [0.2673, 0.2564, 0.2762] },
    train: read('train'),
    test: read('test'),
    remarks,
  };
}

export const cifar100: DatasetEntry<{ readonly labels: Cifar100Labels }> = {
  options: {
    labels: oneOf(['fine', 'coarse'], { default: 'fine', title: '100 classes, or the 20 superclasses.' }),
  },
  directory: 'data/cifar-100-binary',
  forms: cifar100Source.forms,
  load: async ({ dir, labels }, onProgress) => loadCifar100(await fetched(dir, cifar100Source, onProgress), labels),
};
