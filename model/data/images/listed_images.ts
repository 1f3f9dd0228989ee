/** Images whose classes are in a list: those of data sets or splits without class folders. */
import { isAbsolute, join } from 'node:path';
import { UserError } from '../../../utils/errors';
import { isFile } from '../../../utils/files';
import type { Part } from '../files/parts';
import { byCharacters } from './image_files';
import type { FoundImage } from './image_index';
import type { LabelledImage } from './image_set';
import { readLabelList, type ListRow, type ListSpec } from './label_list';

/** An image that may be in a list, and the split whose folder contains it. */
export interface Candidate extends FoundImage {
  readonly part: Part | undefined;
}

/** `"labels"` of params.json; a path is relative to the folder of the data set, or else to the working directory. */
export type LabelsParam = string | ListSpec | readonly string[];

export interface Listed {
  readonly classes: readonly string[];
  readonly images: readonly LabelledImage[];
  /** Images that are in no list. */
  readonly others: number;
}

/**
 * Looks up images in lists. `classes` are the known classes, to which labels refer by name or number; if there are
 * none, the classes are those of the lists in alphabetical order, or numbers.
 */
export function listedImages(
  dir: string,
  labels: LabelsParam,
  candidates: readonly Candidate[],
  classes?: readonly string[],
): Listed {
  const specs = (Array.isArray(labels) ? labels : [labels]) as readonly (string | ListSpec)[];
  const lists = specs.map((spec) => {
    const { file, ...columns } = typeof spec === 'string' ? { file: spec } : spec;
    const inside = join(dir, file);
    const path = !isAbsolute(file) && isFile(inside) ? inside : file;
    return { path, rows: readLabelList({ file: path, ...columns }) };
  });
  const rows = lists.flatMap((list) => list.rows);
  const names = classes ?? classesOf(rows);
  const labelOf = labelsBy(names, classes !== undefined);
  const found = lists.flatMap((list) => placed(dir, list, candidates));
  const used = new Set(found.map(({ image }) => image.file));
  const images = found.map(({ image, row }): LabelledImage => {
    const label = labelOf(row);
    return { ...image, label, part: row.part ?? image.part ?? 'train' };
  });
  return { classes: names, images, others: candidates.filter(({ file }) => !used.has(file)).length };
}

/** The image of each row of a list. */
function placed(
  dir: string,
  { path, rows }: { path: string; rows: readonly ListRow[] },
  candidates: readonly Candidate[],
): { row: ListRow; image: Candidate }[] {
  if (rows[0]!.image === undefined) {
    const own = candidates
      .filter(({ part }) => rows[0]!.part === undefined || part === rows[0]!.part)
      .sort((a, b) => byCharacters(a.file, b.file));
    if (own.length !== rows.length) {
      throw new UserError(`${path}: ${rows.length} classes for ${own.length} images in ${dir}`);
    }
    return rows.map((row, i) => ({ row, image: own[i]! }));
  }
  const byName = namesOf(candidates);
  let missing = 0;
  let first: ListRow | undefined;
  const found = rows.flatMap((row) => {
    const image = imageOf(row, byName);
    if (image) return [{ row, image }];
    first ??= row;
    missing++;
    return [];
  });
  if (first) {
    const more = missing > 1 ? `, nor ${missing - 1} others` : '';
    throw new UserError(`${first.place}: no image ${JSON.stringify(first.image)} in ${dir}${more}`);
  }
  return found;
}

/** Images by all names that a list may use: their path or its end, with or without extension. */
function namesOf(candidates: readonly Candidate[]): Map<string, Candidate[]> {
  const byName = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const folders = candidate.file.split(/[\\/]/);
    for (let i = 0; i < folders.length; i++) {
      const path = folders.slice(i).join('/');
      for (const name of [path, path.replace(/\.[^./]+$/, '')]) {
        const own = byName.get(name);
        if (own) own.push(candidate);
        else byName.set(name, [candidate]);
      }
    }
  }
  return byName;
}

/** The path may be from another machine; its end identifies the image. */
function imageOf({ image, part, place }: ListRow, byName: ReadonlyMap<string, Candidate[]>): Candidate | undefined {
  const folders = image!.split('/').filter((name) => name !== '' && name !== '.');
  for (let i = 0; i < folders.length; i++) {
    const found = byName.get(folders.slice(i).join('/'));
    if (!found) continue;
    const own = found.length > 1 && part ? found.filter((one) => one.part === part) : found;
    if (own.length === 1) return own[0];
    const [a, b] = own.length > 1 ? own : found;
    throw new UserError(`${place}: ${JSON.stringify(image)} may be ${a!.file} or ${b!.file}`);
  }
  return undefined;
}

/** The classes named in lists, in alphabetical order, or by value if all are integers. */
function classesOf(rows: readonly ListRow[]): string[] {
  const names = [...new Set(rows.map(({ label }) => label))];
  const isNumbered = names.every((name) => /^\d+$/.test(name));
  return names.sort(isNumbered ? (a, b) => Number(a) - Number(b) : byCharacters);
}

function labelsBy(classes: readonly string[], mayCount: boolean): (row: ListRow) => number {
  const numbers = new Map(classes.map((name, i) => [name, i]));
  return ({ label, place }) => {
    const own = numbers.get(label);
    if (own !== undefined) return own;
    if (mayCount && /^\d+$/.test(label) && Number(label) < classes.length) return Number(label);
    throw new UserError(
      `${place}: ${JSON.stringify(label)} is not a training class: there are ${classes.length}, from ` +
        `${JSON.stringify(classes[0])} to ${JSON.stringify(classes.at(-1))}`,
    );
  };
}
