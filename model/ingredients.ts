/** What a run is made of besides its params: the images, and the files that the params name, by their SHA-256. */
import { createHash } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import { digestOfFile } from '../utils/provenance';
import type { Params } from '../utils/params';
import type { Dataset, Split } from './data/dataset';
import { initialFile, methodFiles, needsTeacher } from './experiment';
import { checkpointOf } from './teachers/checkpoint';

export interface Ingredient {
  readonly path: string;
  readonly sha256: string;
}

export interface Ingredients {
  /** Sizes of the parts, and the digest of their labels and, where these are in memory, images. */
  readonly data: { readonly train: number; readonly test: number; readonly sha256: string };
  /** By what they are: `teacher`, `teacher_2`, `init`, `method`. */
  readonly files: Readonly<Record<string, Ingredient>>;
}

/** A file of the directory `run` whose files were put into the folder `aside`, where there is one, or any other. */
export function kept(path: string, run: string, aside: string | undefined): Ingredient {
  const isMoved = aside !== undefined && resolve(dirname(path)) === resolve(run);
  return ingredient(isMoved ? join(aside, basename(path)) : path);
}

export function ingredientsOf(params: Params, { train, test }: Dataset): Ingredients {
  const paths = Object.entries(filesOf(params));
  return {
    data: { train: train.size, test: test.size, sha256: digestOf([train, test]) },
    files: Object.fromEntries(paths.map(([name, path]) => [name, ingredient(path)])),
  };
}

function ingredient(path: string): Ingredient {
  return { path, sha256: digestOfFile(path) };
}

function filesOf(params: Params): Record<string, string> {
  const teachers = needsTeacher(params) ? [params.teacher].flat() : [];
  const numbered = (name: string, paths: readonly string[]) =>
    paths.map((path, i) => [i === 0 ? name : `${name}_${i + 1}`, path] as const);
  const teacherFiles = teachers.flatMap((teacher) => {
    if (teacher === 'none') return [];
    if ('logits' in teacher) return [teacher.logits];
    return ['onnx' in teacher ? teacher.onnx : checkpointOf(teacher)];
  });
  return Object.fromEntries([
    ...numbered('teacher', teacherFiles),
    ...numbered('init', params.init ? [initialFile(params.init.checkpoint)] : []),
    ...numbered('method', methodFiles(params)),
  ]);
}

function digestOf(splits: readonly Split[]): string {
  const hash = createHash('sha256');
  for (const split of splits) {
    hash.update(Int32Array.from(split.labels));
    if ('images' in split) hash.update(split.images);
  }
  return hash.digest('hex');
}
