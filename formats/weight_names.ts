/** Names in a checkpoint brought to those of a network: renamed, without what stands in front of all of them. */
import { quoted } from './binary';
import { UserError } from '../utils/errors';
import type { NamedArrays, NdArray } from './ndarray';
import { counted } from '../utils/words';

export interface NameOptions {
  /** Parts of names in the file, one or more components, and what the network calls them; '' takes them off. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
  /** The same of files that are known to name them so; used where the file does. */
  readonly aliases?: Readonly<Record<string, string>> | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** What tools leave in a state dict beside the weights: averages of weights count, and so do counters of operations. */
const leftovers = /(^|\.)(n_averaged|total_ops|total_params)$/;

/**
 * The weights under the names of the network, `expected`. Counters that tools leave are dropped. Where names do not fit as
 * they are, but all that the network expects is there behind one beginning such as `model.`, it is taken off, and what
 * stands beside is left out. A UserError names a part to rename that is in no name, and two beginnings that both fit.
 */
export function fittingNames(
  path: string,
  weights: NamedArrays,
  expected: ReadonlySet<string>,
  { rename = {}, aliases = {}, log }: NameOptions = {},
): NamedArrays {
  const kept = [...weights].filter(([name]) => expected.has(name) || !leftovers.test(name));
  const named = renamed(path, kept, rename, aliases);
  const needed = [...expected].filter((name) => !isCounter(name));
  const fits = (prefix: string) => needed.length > 0 && needed.every((name) => named.has(prefix + name));
  if (fits('')) return named;

  const [prefix, other] = beginningsOf(named.keys(), needed).filter(fits);
  if (prefix === undefined) return named;
  if (other !== undefined) {
    const [one, two] = [prefix, other].map((beginning) => quoted(beginning.slice(0, -1)));
    throw new UserError(
      `${path}: the network's weights are in it under ${one} and ${two}: "key": ${one} takes the former`,
    );
  }
  const inside = [...named].filter(([name]) => name.startsWith(prefix));
  const beside = named.size - inside.length;
  const rest = beside === 0 ? '' : `; ${counted(beside, 'other tensor')} left out`;
  log?.(`${path}: names are taken without ${quoted(prefix)} in front${rest}`);
  return new Map(inside.map(([name, array]) => [name.slice(prefix.length), array]));
}

/** Counters of BatchNorm, which older files lack and nothing depends on. */
export function isCounter(name: string): boolean {
  return name.endsWith('num_batches_tracked');
}

/** What stands in front of the first name that the network expects, wherever the file has it. */
function beginningsOf(names: Iterable<string>, [first = '']: readonly string[]): string[] {
  return [...names].filter((name) => name.endsWith(`.${first}`)).map((name) => name.slice(0, -first.length));
}

function renamed(
  path: string,
  weights: readonly (readonly [string, NdArray])[],
  rename: Readonly<Record<string, string>>,
  aliases: Readonly<Record<string, string>>,
): NamedArrays {
  const used = new Set<string>();
  const rules = [...Object.entries(rename), ...Object.entries(aliases)]
    .map(([from, to]) => ({ from: from.split('.'), to }))
    .sort((a, b) => b.from.length - a.from.length);
  const result: NamedArrays = new Map();
  for (const [name, array] of weights) {
    const to = rules.length === 0 ? name : withRules(name, rules, used);
    if (result.has(to)) throw new UserError(`${path}: "rename" makes two tensors ${quoted(to)}`);
    result.set(to, array);
  }
  const lost = Object.keys(rename).find((from) => !used.has(from));
  if (lost === undefined) return result;
  const parts = [...new Set(weights.flatMap(([name]) => name.split('.')))].filter((part) => !/^\d+$/.test(part));
  const known = parts.slice(0, 12).map(quoted).join(', ') + (parts.length > 12 ? ', …' : '');
  throw new UserError(`${path}: "rename": ${quoted(lost)} is in no name; their parts are ${known}`);
}

/** A name with each run of components that a rule has replaced; the longest rule that fits a place counts. */
function withRules(
  name: string,
  rules: readonly { readonly from: readonly string[]; readonly to: string }[],
  used: Set<string>,
): string {
  const components = name.split('.');
  const result: string[] = [];
  for (let i = 0; i < components.length;) {
    const rule = rules.find(({ from }) => from.every((part, k) => components[i + k] === part));
    if (!rule) {
      result.push(components[i++]!);
      continue;
    }
    used.add(rule.from.join('.'));
    if (rule.to !== '') result.push(rule.to);
    i += rule.from.length;
  }
  return result.join('.');
}
