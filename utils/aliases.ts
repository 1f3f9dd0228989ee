/** Names that were given a better one. The old ones stay accepted, in files and in code, and stand for the current ones. */

interface Alias {
  /** The current name. */
  readonly name: string;
  /** Where the old name comes from. */
  readonly origin: string;
}

/** By the old name. */
export type Aliases = Readonly<Record<string, Alias>>;

/** What a value is called today, if it is an old name; else the value itself, whatever it is. */
export function currentName<T>(value: T, aliases: Aliases): T | string {
  return typeof value === 'string' && Object.hasOwn(aliases, value) ? aliases[value]!.name : value;
}

/** The old names of a current one. */
export function formerNames(name: string, aliases: Aliases): string[] {
  return Object.keys(aliases).filter((old) => aliases[old]!.name === name);
}
