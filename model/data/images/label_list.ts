/**
 * Lists of images and their classes as text: CSV with or without a header, tab-separated annotations as those of Tiny
 * ImageNet, `path class` lines as in Caffe and PaddlePaddle, or one class per line.
 */
import { basename, dirname } from 'node:path';
import { delimiterOf, parseCsv } from '../../../formats/csv';
import { UserError } from '../../../utils/errors';
import { readText } from '../../../utils/files';
import { partCalled, partWithin, type Part } from '../files/parts';
import { isImageName } from './image_files';

/** A list file, and its columns if their names are not among the known ones. */
export interface ListSpec {
  readonly file: string;
  readonly image?: string;
  readonly label?: string;
  readonly split?: string;
}

export interface ListRow {
  /** The image as named in the list, with `/` between folders; absent if the list has only classes. */
  readonly image?: string;
  readonly label: string;
  readonly part: Part | undefined;
  /** Its position in the list, for messages. */
  readonly place: string;
}

/** Column names in lower case; earlier names take precedence. */
const known = {
  image:
    'path filepath file_path filename file_name file image_path image image_id image_name imageid img img_path name id_code id',
  label:
    'label labels class class_name classname class_id classid category target diagnosis dx breed species predictionstring',
  split: 'split set subset part partition usage is_valid',
} as const;

type Column = keyof typeof known;

/** Reads a list. Throws a UserError that names a line that cannot be parsed. */
export function readLabelList({ file, ...named }: ListSpec): ListRow[] {
  const text = readText(file);
  const delimiter = delimiterOf(text.slice(0, Math.max(0, text.indexOf('\n')) || text.length));
  const rows = delimiter === ' ' ? lastWords(text) : parseCsv(text, delimiter);
  const [first] = rows;
  if (!first) throw new UserError(`${file}: an empty list`);
  const ofFile = partCalled(basename(dirname(file))) ?? partWithin(basename(file));
  const columns = columnsOf(file, first, named);
  if (!columns && first.length === 1) {
    refuseDevkit(file, rows);
    return rows.map(([label = ''], i) => ({ label, part: ofFile, place: `${file}: line ${i + 1}` }));
  }
  const { image, label, split, isSentence } = columns ?? { image: 0, label: 1, split: undefined, isSentence: false };
  const body = rows.slice(columns ? 1 : 0);
  if (body.length === 0) throw new UserError(`${file}: a header and no rows`);
  return body.map((row, i): ListRow => {
    const place = `${file}: row ${i + 1}`;
    const [path, name] = [row[image], row[label]];
    if (!path || !name) throw new UserError(`${place}: ${!path ? 'no image' : `no class for ${JSON.stringify(path)}`}`);
    return {
      image: path.replaceAll('\\', '/'),
      label: isSentence ? name.split(' ')[0]! : name,
      part: split === undefined ? ofFile : partIn(row[split] ?? '', place),
      place,
    };
  });
}

/** `path class` lines; the path may contain blanks. */
function lastWords(text: string): string[][] {
  return text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => /^(.*\S)\s+(\S+)$/.exec(line)?.slice(1) ?? [line]);
}

/** The meaning of the columns; undefined if the first row is not a header. */
function columnsOf(
  file: string,
  first: readonly string[],
  named: Omit<ListSpec, 'file'>,
): { image: number; label: number; split: number | undefined; isSentence: boolean } | undefined {
  const headers = first.map((name) => name.toLowerCase());
  const find = (column: Column): number => {
    const wanted = named[column]?.toLowerCase();
    if (wanted !== undefined) {
      const place = headers.indexOf(wanted);
      if (place < 0) throw new UserError(`${file}: no column ${JSON.stringify(named[column])}: ${shown(first)}`);
      return place;
    }
    const name = known[column].split(' ').find((one) => headers.includes(one));
    return name === undefined ? -1 : headers.indexOf(name);
  };
  const [image, split] = [find('image'), find('split')];
  let label = find('label');
  if (image >= 0 && label < 0 && headers.length === 2) label = 1 - image;
  if (image < 0 && label < 0) {
    if (first.length < 2 || isImageName(first[0]!)) return undefined;
    throw new UserError(`${file}: ${advice(first)}`);
  }
  if (image < 0 && first.length === 1) return undefined;
  if (image < 0 || label < 0) throw new UserError(`${file}: ${advice(first)}`);
  const isSentence = headers[label] === 'predictionstring';
  return { image, label, split: split < 0 ? undefined : split, isSentence };
}

function advice(first: readonly string[]): string {
  return `${shown(first)}; name them: "labels": {"file": …, "image": COLUMN, "label": COLUMN}`;
}

function shown(first: readonly string[]): string {
  const names = first.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 40)));
  return `its columns are ${names.join(', ')}${first.length > 8 ? ' and more' : ''}`;
}

function partIn(value: string, place: string): Part {
  // fastai's column `is_valid` tells of each image whether it is one to validate on.
  const part =
    partCalled(value) ?? ({ true: 'val', false: 'train', 1: 'val', 0: 'train' } as const)[value.toLowerCase()];
  if (!part) throw new UserError(`${place}: ${JSON.stringify(value)} is not a split, accepted are train, val and test`);
  return part;
}

/**
 * Refuses lists of bare numbers: those of ImageNet's development kit have their own order, but look like classes
 * counted from 1.
 */
function refuseDevkit(file: string, rows: readonly (readonly string[])[]): void {
  if (!rows.every(([cell = '']) => /^\d+$/.test(cell))) return;
  throw new UserError(
    `${file}: contains only numbers, possibly those of ImageNet's development kit, which are not in the order of ` +
      'the folders; accepted are lines with an image and its class, or with a class name',
  );
}
