/**
 * WebDataset's shards (github.com/webdataset/webdataset): tar archives in which consecutive files with the same name up
 * to the first dot form one sample: an image, and its class in `.cls` or under `label` in `.json`.
 */
import { statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { tarEntries, type TarEntry } from '../../../formats/tar';
import { UserError } from '../../../utils/errors';
import { isFile, readRange, readText } from '../../../utils/files';
import { isObject, parseJson } from '../../../utils/json';
import { text } from '../../../utils/schema_forms';
import type { Dataset } from '../dataset';
import { ofImages, type DatasetEntry } from '../dataset_entry';
import { shardsIn, type Shard } from '../files/shards';
import { byCharacters } from '../images/image_files';
import type { ImageProgress } from '../images/image_set';
import { loadPacked, packedOptions, type PackedImage, type PackedParams } from '../images/packed_images';

/** Shards of WebDataset. */
export interface WebDatasetParams extends PackedParams {
  readonly name: 'webdataset';
  /** A list of class names; by default the one next to the shards. */
  readonly classes?: string;
}

const imageFields = ['jpg', 'jpeg', 'png', 'webp', 'ppm', 'pgm', 'bmp', 'gif', 'tif', 'tiff', 'avif'];
const labelFields = ['cls', 'cls.txt', 'label', 'label.txt'];
/** Keys of the class in `.json`. */
const labelKeys = ['label', 'cls', 'class', 'class_id', 'target'];
/** Optional lists of class names next to the shards, one per line. */
const nameFiles = ['classes.txt', 'classnames.txt', 'labels.txt'];

interface Sample {
  readonly shard: Shard;
  readonly image: TarEntry;
  /** A class number or class name. */
  readonly label: string | undefined;
}

/** Indexes the samples of all shards; reads images on demand if `size` is given, otherwise into memory. */
export async function loadWebDataset(params: WebDatasetParams, onProgress?: ImageProgress): Promise<Dataset> {
  const { dir, shards } = shardsIn(params.dir, '.tar');
  const samples = shards.flatMap((shard) => [...samplesOf(shard)]);
  const labeled = samples.filter(({ shard, label }) => {
    if (label !== undefined || shard.part === 'test') return label !== undefined;
    throw new UserError(
      `${shard.path}: a sample has no class: accepted are a number or a name in ${labelFields.join(', ')}, or in .json under ` +
        labelKeys.join(', '),
    );
  });
  const { classes, labelOf } = classesOf(dir, labeled, params.classes);
  const stats = new Map(shards.map(({ path }) => [path, statSync(path)]));
  const images = labeled.map((sample): PackedImage => {
    const { shard, image } = sample;
    const content = async () => {
      const bytes = new Uint8Array(image.size);
      await readRange(shard.path, image.position, bytes);
      return bytes;
    };
    const file = join(relative(dir, shard.path), image.name);
    return { file, stats: stats.get(shard.path), part: shard.part, label: labelOf(sample), content };
  });
  const without = samples.length - labeled.length;
  const remarks = without > 0 ? [`${dir}: ignored ${without} test image(s) without a class`] : [];
  return loadPacked('webdataset', dir, { classes, images, remarks }, params, onProgress);
}

/** The samples of a shard that contain an image. */
function* samplesOf(shard: Shard): Generator<Sample> {
  let key: string | undefined;
  let fields = new Map<string, TarEntry>();
  let label: string | undefined;
  const sample = function* (): Generator<Sample> {
    const own = imageFields.find((field) => fields.has(field)) ?? [...fields.keys()].find(isImageField);
    if (own !== undefined) yield { shard, image: fields.get(own)!, label };
  };
  for (const { entry, text } of tarEntries(shard.path)) {
    // A name that begins with a dot is none, and neither is one without another.
    const [, start, field] = /^((?:.*\/)?[^./][^./]*)\.([^/]+)$/s.exec(entry.name) ?? [];
    if (start === undefined || field === undefined) continue;
    if (start !== key) {
      yield* sample();
      key = start;
      fields = new Map();
      label = undefined;
    }
    const kind = field.toLowerCase();
    fields.set(kind, entry);
    if (labelFields.includes(kind)) label = text().trim() || undefined;
    else if (kind === 'json') label ??= labelIn(text());
  }
  yield* sample();
}

function isImageField(field: string): boolean {
  return imageFields.includes(field.split('.').at(-1)!);
}

function labelIn(text: string): string | undefined {
  let content: unknown;
  try {
    content = parseJson(text);
  } catch {
    return undefined;
  }
  if (!isObject(content)) return undefined;
  const values = labelKeys.map((key) => content[key]);
  const value = values.find((one) => typeof one === 'number' || typeof one === 'string');
  return value === undefined ? undefined : String(value);
}

/** Class names: those of a list, or those of the samples, or numbers. */
function classesOf(dir: string, samples: readonly Sample[], list: string | undefined) {
  const own = nameFiles.map((name) => join(dir, name)).find((path) => isFile(path));
  const path = list ?? own;
  const isNumber = (label: string) => /^-?\d+$/.test(label);
  const texts = [...new Set(samples.map(({ label }) => label!))].filter((label) => !isNumber(label)).sort(byCharacters);
  const highest = samples.reduce((most, { label }) => (isNumber(label!) ? Math.max(most, Number(label)) : most), -1);
  if (highest >= MAX_CLASSES)
    throw new UserError(`${dir}: the class number ${highest} is too large, accepted are up to ${MAX_CLASSES - 1}`);
  const named = path === undefined ? undefined : readNames(path);
  const classes = named ?? (texts.length > 0 ? texts : Array.from({ length: highest + 1 }, (_, i) => String(i)));
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const labelOf = ({ shard, image, label = '' }: Sample): number => {
    const number = numbers.get(label) ?? (isNumber(label) ? Number(label) : NaN);
    if (number >= 0 && number < classes.length) return number;
    const names = path === undefined ? '' : ` in ${path}`;
    throw new UserError(
      `${shard.path}: ${image.name} has the class ${JSON.stringify(label)}, but there are ${classes.length} classes${names}, from 0`,
    );
  };
  return { classes, labelOf };
}

/** More than any data set; limits what a number in a text can claim. */
const MAX_CLASSES = 2 ** 16;

function readNames(path: string): string[] {
  const lines = readText(path).split(/\r?\n/);
  return lines.map((line) => line.trim()).filter(Boolean);
}

export const webdataset: DatasetEntry<WebDatasetParams, Dataset> = {
  options: ({ size }) => ({
    classes: text({
      title: 'List of class names; by default the one next to the shards.',
    }),
    ...packedOptions('Directory of the files.', size),
  }),
  required: ['dir'],
  load: (params, onProgress) => loadWebDataset(params, ofImages(onProgress)),
};
