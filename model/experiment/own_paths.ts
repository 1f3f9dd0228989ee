/**
 * Paths inside the directory of a run. In its params and in run.json they begin with `{model_dir}`, as in
 * `{model_dir}/stages/1_boundary/last.safetensors`: so the run can be moved, and equal runs have equal params.
 */
import { isAbsolute, join, relative, sep } from 'node:path';
import { isObject } from '../../utils/json';

const HERE = '{model_dir}/';

/** The path of a file or folder inside the run, for its own params. */
export function ownPath(...names: readonly string[]): string {
  return HERE + names.join('/');
}

/** A path as stored in the run in `directory`: relative to it if it is inside. */
export function keptPath(path: string, directory: string): string {
  const names = relative(directory, path);
  return isAbsolute(names) || names.split(sep)[0] === '..' ? path : ownPath(...names.split(sep));
}

/** Params, or a path, with such paths resolved for a run in `directory`. */
export function located<T>(params: T, directory: string): T {
  return withTexts(params, (text) => (text.startsWith(HERE) ? join(directory, text.slice(HERE.length)) : text));
}

/** Replaces every string in a value. */
function withTexts<T>(value: T, change: (text: string) => string): T {
  const changed = (one: unknown): unknown => {
    if (typeof one === 'string') return change(one);
    if (Array.isArray(one)) return one.map(changed);
    if (isObject(one)) return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, changed(inner)]));
    return one;
  };
  return changed(value) as T;
}
