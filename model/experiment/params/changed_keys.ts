/** Where two params differ. */
import { withCurrentNames } from './current_names';
import type { Params } from './types';

/** Keys whose values differ, sorted; a key inside an object as `schedule.gamma`. An old name and the current one are the same. */
export function changedKeys(before: Params, after: Params): string[] {
  return differences(withCurrentNames(before), withCurrentNames(after)).sort();
}

function differences(before: unknown, after: unknown, path = ''): string[] {
  if (!isComposite(before) || !isComposite(after)) return before === after ? [] : [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], path === '' ? key : `${path}.${key}`));
}

function isComposite(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
