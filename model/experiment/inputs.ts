/** The inputs of a run besides its params: the images and the files named in the params, by their SHA-256. */
import { createHash } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import { weightFiles } from '../../engine/onnx/foreign';
import { digestOfFile } from '../../runs/provenance';
import type { Dataset, Split } from '../data/dataset';
import { isNetPath } from '../nets/index';
import { isOnnxPath } from '../nets/onnx_net';
import { checkpointOf } from '../teachers/checkpoint';
import { initialFile, methodFiles, needsTeacher } from './experiment';
import { keptPath } from './own_paths';
import type { Params } from './params';

export interface Ingredient {
  readonly path: string;
  readonly sha256: string;
}

export interface Ingredients {
  /**
   * Sizes of the splits, and the digest of their labels and images; for images in files, of their labels and sizes.
   */
  readonly data: {
    readonly train: number;
    readonly test: number;
    readonly sha256: string;
    readonly files_sha256?: string;
  };
  /**
   * By role: `student`, `student_weights` next to it, `teacher`, `teacher_2`, `teacher_weights` next to it, `teacher_names` of
   * its classes, `init`, `method`.
   */
  readonly files: Readonly<Record<string, Ingredient>>;
}

/** A file of the run in `run`, whose old files were moved to the folder `aside`, if any, or any other file. */
export function kept(path: string, run: string, aside: string | undefined): Ingredient {
  const isMoved = aside !== undefined && resolve(dirname(path)) === resolve(run);
  return ingredient(isMoved ? join(aside, basename(path)) : path, run);
}

/** The inputs of a run in `run`. Its initial weights are not read again when it resumes: `before` has their digest. */
export function inputsOf(params: Params, dataset: Dataset, run: string, before?: Partial<Ingredients>): Ingredients {
  const { train, test } = dataset;
  const paths = Object.entries(filesOf(before ? { ...params, init: undefined } : params));
  const init = before?.files?.init;
  return {
    data: { train: train.size, test: test.size, sha256: digestOf([train, test]), ...filesDigest(dataset) },
    files: {
      ...Object.fromEntries(paths.map(([name, path]) => [name, ingredient(path, run)])),
      ...(init && { init }),
    },
  };
}

/** Files with the names of a teacher's classes. */
const NAMES = 'teacher_names';

/** Keys of params.json that are locations and do not affect results. */
export function isPathKey(key: string): boolean {
  const ofData = /^(data_dir|dataset\.(dir|test_dir|file|classes|labels(\.\d+|\.file)?))$/;
  return ofData.test(key) || /^(teacher\.(\d+\.)?(checkpoint|onnx|logits|classes)|init\.checkpoint)$/.test(key);
}

/**
 * Lines about inputs that have changed since the run started; `moved` are keys whose paths have changed, which is
 * allowed if the earlier digests are known.
 */
export function changedInputs(before: Partial<Ingredients>, now: Ingredients, moved: readonly string[]): string[] {
  const { data, files = {} } = before;
  if (!data) return moved.map((key) => `"${key}" has changed, and run.json has no digest of the old file`);
  const sizes = (of: Ingredients['data']) => `${of.train} training and ${of.test} test images`;
  const isOther =
    data.sha256 !== now.data.sha256 || (data.files_sha256 !== undefined && data.files_sha256 !== now.data.files_sha256);
  const others = Object.entries(now.files).filter(
    ([name, { sha256 }]) =>
      /^(teacher|student)/.test(name) && files[name] !== undefined && files[name].sha256 !== sha256,
  );
  // The columns of a teacher may have been numbers before, or are now, and not a file of names.
  const names = [files, now.files].map((all) => Object.keys(all).filter((name) => name.startsWith(NAMES)).length);
  const columns = names[0] === names[1] ? [] : moved.filter((key) => /^teacher\..*classes$/.test(key));
  return [
    ...columns.map((key) => `"${key}" changed`),
    ...(isOther ? [`the data set has changed: it has ${sizes(now.data)}, the run started with ${sizes(data)}`] : []),
    ...others.map(([name, { path }]) => `${path} is not the ${name.replaceAll('_', ' ')} that the run started with`),
  ];
}

function ingredient(path: string, run: string): Ingredient {
  return { path: keptPath(path, run), sha256: digestOfFile(path) };
}

function filesOf(
  params: Omit<Params, 'init'> & { readonly init?: Params['init'] | undefined },
): Record<string, string> {
  const teachers = needsTeacher(params) ? [params.teacher].flat() : [];
  const numbered = (name: string, paths: readonly string[]) =>
    paths.map((path, i) => [i === 0 ? name : `${name}_${i + 1}`, path] as const);
  const onnx = teachers.flatMap((teacher) => (teacher !== 'none' && 'onnx' in teacher ? [teacher] : []));
  const teacherFiles = teachers.flatMap((teacher) => {
    if (teacher === 'none') return [];
    if ('logits' in teacher) return [teacher.logits];
    return ['onnx' in teacher ? teacher.onnx : checkpointOf(teacher)];
  });
  const student = isNetPath(params.model_version) ? [params.model_version] : [];
  return Object.fromEntries([
    ...numbered('student', student),
    ...numbered(
      'student_weights',
      student.filter(isOnnxPath).flatMap((path) => weightFiles(path)),
    ),
    ...numbered('teacher', teacherFiles),
    ...numbered(
      'teacher_weights',
      onnx.flatMap((teacher) => weightFiles(teacher.onnx)),
    ),
    ...numbered(
      NAMES,
      onnx.flatMap(({ classes }) => (typeof classes === 'string' ? [classes] : [])),
    ),
    ...numbered('init', params.init ? [initialFile(params.init.checkpoint)] : []),
    ...numbered('method', methodFiles(params)),
  ]);
}

/** For images in files, the digest of their labels and sizes in pixels. */
function filesDigest({ train, validation, test }: Dataset): { files_sha256?: string } {
  const splits = [train, ...(validation ? [validation] : []), test].filter((split) => 'sizeOf' in split);
  if (splits.length === 0) return {};
  const hash = createHash('sha256');
  for (const split of splits) {
    hash.update(Int32Array.from(split.labels));
    const sizes = Array.from({ length: split.size }, (_, example) => split.sizeOf(example)).flat();
    hash.update(Int32Array.from(sizes));
  }
  return { files_sha256: hash.digest('hex') };
}

function digestOf(splits: readonly Split[]): string {
  const hash = createHash('sha256');
  for (const split of splits) {
    hash.update(Int32Array.from(split.labels));
    if ('images' in split) hash.update(split.images);
  }
  return hash.digest('hex');
}
