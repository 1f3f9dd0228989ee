/**
 * Paths within the directory of a run. In its params and in run.json they begin with `{model_dir}`, as in
 * `{model_dir}/stages/1_boundary/last.safetensors`: the run can be moved and its directory written in another way, and two
 * equal runs have equal params.
 */
import { isAbsolute, join, relative, sep } from 'node:path';
import { isObject } from '../../utils/json';

const HERE = '{model_dir}/';

/** The path of a file or folder within the run whose params it stands in. */
export function ownPath(...names: readonly string[]): string {
  return HERE + names.join('/');
}

/** A path as it is kept in the run in `directory`: from there on where it leads to something within. */
export function keptPath(path: string, directory: string): string {
  const names = relative(directory, path);
  return isAbsolute(names) || names.split(sep)[0] === '..' ? path : ownPath(...names.split(sep));
}

/** Params, or a path, with such paths as they are where the run is in `directory`. */
export function located<T>(params: T, directory: string): T {
  return withTexts(params, (text) => (text.startsWith(HERE) ? join(directory, text.slice(HERE.length)) : text));
}

/** A value with another text in place of each that is in it. */
function withTexts<T>(value: T, change: (text: string) => string): T {
  const changed = (one: unknown): unknown => {
    if (typeof one === 'string') return change(one);
    if (Array.isArray(one)) return one.map(changed);
    if (isObject(one)) return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, changed(inner)]));
    return one;
  };
  return changed(value) as T;
}
