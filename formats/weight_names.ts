/** Maps names in a checkpoint to those of a network: renames them and removes common prefixes. */
import { UserError } from '../utils/errors';
import { counted } from '../utils/words';
import { quoted } from './binary';
import type { NamedArrays, NdArray } from './ndarray';

export interface NameOptions {
  /** Parts of names in the file, one or more components, and their names in the network; '' removes them. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
  /** The same for known naming schemes; used if the file follows one. */
  readonly aliases?: Readonly<Record<string, string>> | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** What tools add to a state dict besides the weights: counters of weight averages and of operations. */
const leftovers = /(^|\.)(n_averaged|total_ops|total_params)$/;

/**
 * The weights under the names of the network, `expected`. Drops counters that tools add. If names do not match
 * directly, but all expected names exist with a common prefix such as `model.`, the prefix is removed and other tensors
 * are omitted. Throws a UserError for a part to rename that occurs in no name, and for two prefixes that both match.
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
      `${path}: it contains the network's weights under ${one} and ${two}: set "key": ${one} for the former`,
    );
  }
  const inside = [...named].filter(([name]) => name.startsWith(prefix));
  const beside = named.size - inside.length;
  const rest = beside === 0 ? '' : `; ignores ${counted(beside, 'other tensor')}`;
  log?.(`${path}: removes the prefix ${quoted(prefix)} from names${rest}`);
  return new Map(inside.map(([name, array]) => [name.slice(prefix.length), array]));
}

/** BatchNorm's counters, which older files lack and which affect no result. */
export function isCounter(name: string): boolean {
  return name.endsWith('num_batches_tracked');
}

/** The prefixes in front of the first name that the network expects, wherever it occurs in the file. */
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
  throw new UserError(`${path}: "rename": ${quoted(lost)} occurs in no name; parts of names are ${known}`);
}

/** A name with each run of components that matches a rule replaced; the longest matching rule applies. */
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
