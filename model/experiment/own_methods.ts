/** Custom methods: modules that params.json names by path, such as "./my_distiller.ts". */
import { resolve } from 'node:path';
import { messageOf, UserError } from '../../utils/errors';
import { isFile, isThere } from '../../utils/files';
import type { Distiller } from '../distillers/index';

/**
 * Whether this is the path of a module rather than the name of a method. Paths are relative to the working directory.
 */
export function isPath(name: string): boolean {
  return /\.[cm]?[jt]s$/.test(name);
}

/** The default export of a module with defaults: no options, needs a teacher. */
export function loadMethod(path: string): Distiller {
  const file = resolve(path);
  if (!isThere(file)) throw new UserError(`${path}: no such file; "method" names it`);
  if (!isFile(file)) throw new UserError(`${path}: not a regular file; "method" names it`);
  let loaded: { default?: Partial<Distiller> };
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the path is known when the program runs
    loaded = require(file) as typeof loaded;
  } catch (error) {
    throw new UserError(`${path}: cannot be loaded as a method: ${messageOf(error).split('\n')[0]}`);
  }
  const method = loaded.default;
  if (typeof method?.losses !== 'function' && typeof method?.phases !== 'function') {
    throw new UserError(`${path}: the default export must be a method: an object with a function "losses"`);
  }
  return { title: path, options: {}, needsTeacher: true, ...method };
}
