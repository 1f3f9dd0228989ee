/** params.json: the settings of one experiment, read and checked. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from '../../../utils/errors';
import { isThere, readJson } from '../../../utils/files';
import { isObject, show, withoutSchema } from '../../../utils/json';
import { isModulePath } from '../../../utils/own_module';
import { mistakes } from '../../../utils/schema';
import { distillers, type Distiller } from '../../distillers/index';
import { loadMethod } from '../own_methods';
import { brokenConditions } from './conditions';
import { withCurrentNames } from './current_names';
import { listOf, longForm } from './long_form';
import { schemaFor } from './schema';
import type { Params } from './types';

/** The content of an experiment's params.json, unchecked. Throws a UserError where it is missing or no JSON object. */
export function readGivenParams(path: string): Record<string, unknown> {
  const directory = dirname(path);
  if (!existsSync(directory)) throw new UserError(`${directory}: no such directory`);
  if (!statSync(directory).isDirectory()) throw new UserError(`${directory}: not a directory`);
  if (!isThere(path)) {
    const example = '{"model_version": "cnn", "learning_rate": 0.001, "num_epochs": 30}';
    throw new UserError(`${path}: no such file; write one, for example ${example}`);
  }
  const content = readJson(path);
  if (!isObject(content)) throw new UserError(`${path}: ${mistakes({ type: 'object' }, content).join()}`);
  return withoutSchema(content);
}

/** Checks the content of a params.json, which stays as it is; `source` names it in the lines of the UserError. */
export function parseParams(content: unknown, source: string): Params {
  const fail = (lines: string[]) => new UserError(lines.map((line) => `${source}: ${line}`).join('\n'));
  if (!isObject(content)) throw fail(mistakes({ type: 'object' }, content));
  const search = searchNamed(content);
  if (search !== undefined) throw fail([search]);
  const methods = methodsFor(content);
  const file = longForm(withCurrentNames(copied(withoutSchema(content), FILLED_LEVELS)), methods);
  const lines = mistakes(schemaFor(file, methods), file);
  lines.push(...brokenConditions(file, methods));
  if (lines.length > 0) throw fail(lines);
  // Dropout does nothing in a net that is only evaluated.
  for (const one of listOf(file.teacher).filter(isObject)) delete one.dropout_rate;
  return { ...file, method: listOf(file.method) } as unknown as Params;
}

/** Levels of objects in which schemas have defaults, which are filled into a copy. */
const FILLED_LEVELS = 8;

function copied<T>(value: T, levels: number): T {
  if (levels === 0) return value;
  if (Array.isArray(value)) return value.map((one: unknown) => copied(one, levels - 1)) as T;
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copied(inner, levels - 1)])) as T;
}

/** Searches that other tools call methods, and the directory of each. */
export const searches: Readonly<Record<string, string>> = {
  kdparam: 'experiments/kdparam',
  allkd: 'experiments/allkd',
};

/** A line on such a search where a method is to be. */
function searchNamed({ method }: Readonly<Record<string, unknown>>): string | undefined {
  const names = listOf(method).map((one) => (isObject(one) ? one.name : one));
  const name = Object.keys(searches).find((search) => names.includes(search));
  if (name === undefined) return undefined;
  const advice = `copy ${searches[name]} and pass the copy to search_hyperparams.ts as --parent_dir`;
  return `"method" ${show(name)} is a search, not the method of one run: ${advice}`;
}

/** The methods that a file may name: those of the house, and the modules that it names by path. */
function methodsFor({ method }: Readonly<Record<string, unknown>>): Readonly<Record<string, Distiller>> {
  const names = listOf(method).map((one) => (isObject(one) ? one.name : one));
  const paths = names.filter(isModulePath);
  return { ...distillers, ...Object.fromEntries(paths.map((path) => [path, loadMethod(path)])) };
}
