/** Glob patterns for dotted names, such as those of parameters: `conv1`, `layer*`, `*.bias`. */
import { UserError } from './errors';

/**
 * Whether a pattern matches a name or its beginning up to a dot. `*` matches any characters, including dots, `?`
 * matches one character. Takes at most pattern × name comparisons, for every pattern.
 */
export function matches(pattern: string, name: string): boolean {
  return matchesWhole(pattern, name) || matchesWhole(`${pattern}.*`, name);
}

/** The patterns that match none of the names. */
export function unmatched(patterns: readonly string[], names: readonly string[]): string[] {
  return patterns.filter((pattern) => !names.some((name) => matches(pattern, name)));
}

/** Where what follows a `*` does not fit, that `*` takes one character more; those before it need not be touched again. */
function matchesWhole(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let taken = 0;
  for (let i = 0; i < name.length;) {
    if (pattern[at] === '*') {
      star = at++;
      taken = i;
    } else if (pattern[at] === '?' || pattern[at] === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++taken;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** Throws a UserError that names a glob of a key that matches no parameter, and what parameter names begin with. */
export function refuseUnmatched(key: string, patterns: readonly string[], parameters: readonly string[]): void {
  const lost = unmatched(patterns, parameters);
  if (lost.length === 0) return;
  const layers = [...new Set(parameters.map((name) => name.split('.')[0]!))];
  const known = layers.slice(0, 12).join(', ') + (layers.length > 12 ? ', …' : '');
  throw new UserError(
    `"${key}": ${JSON.stringify(lost[0])} matches no parameter of the network; parameter names begin with ${known}`,
  );
}
