/** Images and labels in Parquet files, as Hugging Face stores them: one file, or a folder of shards for each split. */
import { statSync } from 'node:fs';
import { relative } from 'node:path';
import { UserError } from '../../../utils/errors';
import { text } from '../../../utils/schema_forms';
import type { Dataset } from '../dataset';
import { ofImages, type DatasetEntry } from '../dataset_entry';
import { ParquetFile } from '../files/parquet_file';
import type { Part } from '../files/parts';
import { shardsIn } from '../files/shards';
import { byCharacters } from '../images/image_files';
import type { ImageProgress } from '../images/image_set';
import { loadPacked, packedOptions, type PackedImage, type PackedParams } from '../images/packed_images';

/** Parquet files. */
export interface ParquetParams extends PackedParams {
  readonly name: 'parquet';
  /** The columns of images and labels; the usual ones by default. */
  readonly image?: string;
  readonly label?: string;
}

/** Reads the labels of all shards; reads images on demand if `size` is given, otherwise into memory. */
export async function loadParquet(params: ParquetParams, onProgress?: ImageProgress): Promise<Dataset> {
  const { dir, shards } = shardsIn(params.dir, '.parquet');
  const files: { part: Part; file: ParquetFile }[] = [];
  for (const { path, part } of shards) files.push({ part, file: await ParquetFile.open(path, params) });
  const { classes, labelOf } = classesOf(files.map(({ file }) => file));
  const remarks: string[] = [];
  const images = files.flatMap(({ part, file }) => {
    const stats = statSync(file.path);
    const own = file.labels.flatMap((label, row): PackedImage[] => {
      if (label === -1) return [];
      const name = `${relative(dir, file.path)}#${row}`;
      return [{ file: name, stats, part, label: labelOf(file, label, row), content: () => file.image(row) }];
    });
    const without = file.labels.length - own.length;
    if (without > 0) remarks.push(`${file.path}: ignored ${without} image(s) without a label`);
    return own;
  });
  return loadPacked('parquet', dir, { classes, images, remarks }, params, onProgress);
}

/** The classes of all shards: those named in the files, label names in alphabetical order, or numbers. */
function classesOf(files: readonly ParquetFile[]) {
  const named = files.find(({ names }) => names)?.names;
  const other = named && files.find(({ names }) => names && names.join('\n') !== named.join('\n'));
  if (other) {
    const i = named.findIndex((name, place) => name !== other.names![place]);
    const [ours, theirs] = [named[i], other.names![i]].map((name) =>
      name === undefined ? 'none' : JSON.stringify(name),
    );
    throw new UserError(`${other.path}: class ${i} is ${theirs}, but ${ours} in ${files[0]!.path}`);
  }
  const all = files.flatMap(({ labels }) => labels);
  const texts = [...new Set(all.filter((label) => typeof label === 'string'))].sort(byCharacters);
  const highest = all.reduce<number>((most, label) => (typeof label === 'number' ? Math.max(most, label) : most), -1);
  if (highest >= MAX_CLASSES)
    throw new UserError(
      `${files[0]!.path}: the class number ${highest} is too large, accepted are up to ${MAX_CLASSES - 1}, accepted are up to ${MAX_CLASSES - 1}`,
    );
  const classes = named ?? (texts.length > 0 ? texts : Array.from({ length: highest + 1 }, (_, i) => String(i)));
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const labelOf = (file: ParquetFile, label: number | string, row: number): number => {
    const number = typeof label === 'string' ? numbers.get(label) : label;
    if (number !== undefined && Number.isInteger(number) && number >= 0 && number < classes.length) return number;
    throw new UserError(
      `${file.path}: row ${row} has the label ${JSON.stringify(label)}, accepted are 0 to ${classes.length - 1}`,
    );
  };
  return { classes, labelOf };
}

/** More than any data set; limits what a number in a damaged file can claim. */
const MAX_CLASSES = 2 ** 16;

export const parquet: DatasetEntry<ParquetParams, Dataset> = {
  options: ({ size }) => ({
    image: text({ title: 'Column of the images; found by default.' }),
    label: text({ title: 'Column of the labels; found by default.' }),
    ...packedOptions('Directory of the files.', size),
  }),
  required: ['dir'],
  load: (params, onProgress) => loadParquet(params, ofImages(onProgress)),
};
