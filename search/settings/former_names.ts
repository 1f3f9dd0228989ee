/** Names that keys of search.json had before. Older files and journals have them; they are read as the present names. */
const presentNames: Readonly<Record<string, string>> = {
  goal: 'direction',
  trials: 'n_trials',
  parallel: 'n_jobs',
  timeout: 'trial_timeout',
};

type Keys = Readonly<Record<string, unknown>>;

/** Former and present names of keys. */
export const formerNames: readonly (readonly [former: string, present: string])[] = Object.entries(presentNames);

/** A copy in which every key has its present name, in the same order. */
export function withPresentNames(keys: Keys): Record<string, unknown> {
  const present = (key: string) => (Object.hasOwn(presentNames, key) ? presentNames[key]! : key);
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [present(key), value]));
}

/** `changes`, which have present names, with the names under which `keys` has these keys. */
export function namedAsIn(keys: Keys, changes: Keys): Record<string, unknown> {
  const written = (key: string) =>
    formerNames.find(([former, present]) => present === key && Object.hasOwn(keys, former))?.[0] ?? key;
  return Object.fromEntries(Object.entries(changes).map(([key, value]) => [written(key), value]));
}

/** A line for each key that is given under both names. */
export function keysGivenTwice(keys: Keys): string[] {
  return formerNames
    .filter(([former, present]) => Object.hasOwn(keys, former) && Object.hasOwn(keys, present))
    .map(([former, present]) => `"${present}" and "${former}" are two names of one key: keep "${present}"`);
}
