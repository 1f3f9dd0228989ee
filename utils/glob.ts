/** Patterns over names whose parts are joined by dots, as those of parameters: `conv1`, `layer*`, `*.bias`. */
import { UserError } from './errors';

/**
 * Does a pattern match a name, or its beginning up to a dot? `*` stands for any characters, dots too, `?` for any one.
 * At most pattern × name comparisons, whatever the pattern.
 */
export function matches(pattern: string, name: string): boolean {
  return matchesWhole(pattern, name) || matchesWhole(`${pattern}.*`, name);
}

/** Patterns that match none of the names. */
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

/** A UserError that names the globs of a key that match no parameter, and what there is to match. */
export function refuseUnmatched(key: string, patterns: readonly string[], parameters: readonly string[]): void {
  const lost = unmatched(patterns, parameters);
  if (lost.length === 0) return;
  const layers = [...new Set(parameters.map((name) => name.split('.')[0]!))];
  const known = layers.slice(0, 12).join(', ') + (layers.length > 12 ? ', …' : '');
  throw new UserError(
    `"${key}": ${JSON.stringify(lost[0])} matches no parameter of the network; they begin with ${known}`,
  );
}
