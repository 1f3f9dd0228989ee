/** Finds the state dict in a checkpoint: the weights of a network by name. */
import { FormatError, quoted } from '../binary';
import { Inert, Refusal } from './pickle';
import { TensorView } from './tensors';

/**
 * The usual keys of state dicts in checkpoints. The first one that exists and holds tensors is used: averages of
 * weights before the weights themselves, as timm does.
 */
const usualKeys = [
  'state_dict_ema',
  'model_ema',
  'ema',
  'state_dict',
  'model_state_dict',
  'model',
  'net',
  'weights',
  'student',
  'teacher',
] as const;

/** Name components that wrappers of modules add: DataParallel, torch.compile, Opacus, FSDP. */
const wrappers: ReadonlySet<string> = new Set([
  'module',
  '_orig_mod',
  '_module',
  '_fsdp_wrapped_module',
  '_checkpoint_wrapped_module',
]);

/** Maximum depth and number of values searched for state dicts. */
const MAX_DEPTH = 4;
const MAX_VALUES = 10_000;
const LISTED = 10;

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TensorView>;
  /** Path of the dict in the object; '' is the object itself. */
  readonly path: string;
  /** Paths of other dicts of tensors under usual keys. */
  readonly others: readonly string[];
}

/**
 * The state dict at the path `key`, such as `model_ema` or `models.0`, or else under the usual keys. `key` may also be
 * a prefix of tensor names, up to a dot. Throws a Refusal that lists the tensors of the file.
 */
export function findStateDict(root: unknown, key?: string): StateDict {
  if (key !== undefined) return stateDictAt(root, key);
  const [first, ...others] = usualPaths(root);
  if (first) return { tensors: tensorsOf(first.value), path: first.path, others: others.map(({ path }) => path) };
  const module = modulesIn(root)[0];
  if (module) throw new Refusal(wholeModule(module));
  const elsewhere = dictsOfTensors(root);
  if (elsewhere.length === 1 && elsewhere[0]!.path === '') {
    return { tensors: tensorsOf(root), path: '', others: [] };
  }
  throw new Refusal(nothingUsual(root, elsewhere));
}

/** A name without the components that wrappers add. */
export function unwrapped(name: string): string {
  return name
    .split('.')
    .filter((component) => !wrappers.has(component))
    .join('.');
}

/** A value and its path from the root. */
interface Place {
  readonly path: string;
  readonly value: unknown;
}

function stateDictAt(root: unknown, key: string): StateDict {
  for (const value of valuesAt(root, key)) {
    if (isModule(value)) throw new Refusal(wholeModule({ path: key, value }));
    if (countTensors(value) > 0) return { tensors: tensorsOf(value), path: key, others: [] };
    const [inner] = usualPaths(value);
    if (inner) return { tensors: tensorsOf(inner.value), path: `${key}.${inner.path}`, others: [] };
  }
  const places = dictsOfTensors(root);
  for (const { path, value } of [...usualPaths(root), ...places]) {
    const under = namesUnder(key, tensorsOf(value));
    if (under.size > 0) return { tensors: under, path: path === '' ? key : `${path}.${key}`, others: [] };
  }
  throw new Refusal(`it has no tensors under the key ${quoted(key)}, but ${listed(places) || 'none at all'}`);
}

/** The value at a path, whose keys may contain dots themselves. */
function valuesAt(value: unknown, path: string): unknown[] {
  const dict = entriesOf(value);
  if (!dict) return [];
  const found = dict.has(path) ? [dict.get(path)] : [];
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    if (dict.has(path.slice(0, dot))) found.push(...valuesAt(dict.get(path.slice(0, dot)), path.slice(dot + 1)));
  }
  return found;
}

/** The tensors whose names begin with `prefix` and a dot, with this prefix removed. */
export function namesUnder<T>(prefix: string, tensors: ReadonlyMap<string, T>): Map<string, T> {
  const inside = [...tensors].filter(([name]) => name.startsWith(`${prefix}.`));
  return new Map(inside.map(([name, tensor]) => [name.slice(prefix.length + 1), tensor]));
}

/** Dicts of tensors under the usual keys, in order; a dict without tensors may have such keys itself. */
function usualPaths(root: unknown, depth = 0): Place[] {
  const dict = isDict(root) ? entriesOf(root) : undefined;
  if (!dict || depth === MAX_DEPTH) return [];
  return usualKeys.flatMap((key) => {
    const value = dict.get(key);
    if (!isDict(value) || isModule(value)) return [];
    if (countTensors(value) > 0) return [{ path: key, value }];
    return usualPaths(value, depth + 1).map((place) => ({ ...place, path: `${key}.${place.path}` }));
  });
}

/** All dicts of tensors except optimizer state. */
function dictsOfTensors(root: unknown): Place[] {
  const found: Place[] = [];
  let looked = 0;
  const visit = (value: unknown, path: string, depth: number): void => {
    if (isDict(value) && countTensors(value) > 0) found.push({ path, value });
    if (depth === MAX_DEPTH || isModule(value)) return;
    for (const [key, inner] of entriesOf(value) ?? []) {
      if (typeof key !== 'string' || /optim|sched|_extra_state/.test(key) || looked++ > MAX_VALUES) continue;
      visit(inner, path === '' ? key : `${path}.${key}`, depth + 1);
    }
  };
  visit(root, '', 0);
  return found;
}

/** Pickled modules: the object itself, or those under the usual keys. */
function modulesIn(root: unknown): Place[] {
  if (isModule(root)) return [{ path: '', value: root }];
  const dict = isDict(root) ? entriesOf(root) : undefined;
  return usualKeys.map((path) => ({ path, value: dict?.get(path) })).filter(({ value }) => isModule(value));
}

function tensorsOf(dict: unknown): Map<string, TensorView> {
  const tensors = new Map<string, TensorView>();
  for (const [key, value] of entriesOf(dict) ?? []) {
    if (typeof key !== 'string') continue;
    if (!(value instanceof TensorView)) {
      if (isUnreadTensor(value) || /(^|\.)_packed_params$/.test(key)) throw new Refusal(unreadTensor(key, value));
      continue;
    }
    const name = unwrapped(key);
    if (tensors.has(name)) throw new FormatError(`it contains ${quoted(name)} with and without "module."`);
    tensors.set(name, value);
  }
  return tensors;
}

function countTensors(value: unknown): number {
  if (!isDict(value)) return 0;
  return [...(entriesOf(value) ?? [])].filter(
    ([key, item]) => typeof key === 'string' && (item instanceof TensorView || isUnreadTensor(item)),
  ).length;
}

/** A dict, or an object of a class derived from it. */
function isDict(value: unknown): boolean {
  return value instanceof Map || (value instanceof Inert && value.items !== undefined);
}

/** The items of a dict by key, or of a list by index as text; undefined for anything else. */
function entriesOf(value: unknown): ReadonlyMap<unknown, unknown> | undefined {
  if (Array.isArray(value)) return new Map(value.slice(0, 1000).map((item, i) => [String(i), item as unknown]));
  if (value instanceof Inert) return value.items;
  return value instanceof Map ? value : undefined;
}

function isModule(value: unknown): value is Inert {
  return value instanceof Inert && value.state instanceof Map && value.state.has('_modules');
}

/** Whether it is a placeholder for an unsupported kind of tensor. */
function isUnreadTensor(value: unknown): value is Inert {
  return value instanceof Inert && /\._rebuild_\w*(tensor|type|parameter|subclass)/.test(value.global);
}

function unreadTensor(key: string, value: unknown): string {
  const { global = '', args = [] } = value instanceof Inert ? value : {};
  if (!(value instanceof Inert) || global.endsWith('qtensor')) {
    return `${quoted(key)} is quantized: save the state dict of the model before it is quantized`;
  }
  if (global.includes('sparse')) return `${quoted(key)} is a sparse tensor: save tensor.to_dense() instead`;
  if (global.includes('meta')) return `${quoted(key)} has no data, since it was on the meta device`;
  const dtype = args.findLast((arg) => arg instanceof Inert && /^torch\.[a-z]+\d/.test(arg.global)) as
    Inert | undefined;
  const kind = dtype ? `has the type ${quoted(dtype.global)}` : `is made by ${quoted(global)}`;
  return `${quoted(key)} ${kind}, accepted are plain tensors: save tensor.float() instead`;
}

function wholeModule({ path, value }: Place): string {
  const what = path === '' ? 'it' : quoted(path);
  const { global } = value as Inert;
  return (
    `${what} is a pickled module of the class ${quoted(global)}, which only its own code can load: ` +
    'in Python, save model.state_dict() instead'
  );
}

function nothingUsual(root: unknown, elsewhere: readonly Place[]): string {
  const accepted = `accepted are ${usualKeys.join(', ')}`;
  if (elsewhere.length > 0) {
    const { path } = elsewhere.find((place) => place.path !== '') ?? elsewhere[0]!;
    const what = Array.isArray(root) ? 'it is a list of state dicts' : 'it has no state dict under the usual keys';
    return `${what}, but ${listed(elsewhere)}: "key": ${quoted(path)} takes the tensors there; ${accepted}`;
  }
  if (root instanceof Inert && !root.items)
    return `it holds an object of ${quoted(root.global)}, accepted is a state dict`;
  const dict = isDict(root) ? entriesOf(root)! : undefined;
  if (!dict) return 'it does not hold a dict, accepted is a state dict';
  const keys = [...dict].filter((entry): entry is [string, unknown] => typeof entry[0] === 'string');
  const shown = keys
    .slice(0, LISTED)
    .map(([key, value]) => quoted(key) + (value instanceof Inert ? ofClass(value) : ''));
  const names = shown.join(', ') + (keys.length > LISTED ? ', …' : '');
  return `it has no state dict, but ${names || 'no keys'}; ${accepted}`;
}

function ofClass({ global }: Inert): string {
  return ` (of ${quoted(global)})`;
}

/** Places with how many tensors each holds: `62 tensors under "encoder"`. */
function listed(places: readonly Place[]): string {
  const shown = places.slice(0, LISTED).map(({ path, value }) => {
    const count = countTensors(value);
    return `${count} tensor${count === 1 ? '' : 's'} ${path === '' ? 'beside' : `under ${quoted(path)}`}`;
  });
  return shown.join(', ') + (places.length > LISTED ? ', …' : '');
}
