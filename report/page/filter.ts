/** The filter of the table: words that a row must contain, and comparisons such as `alpha>=0.5` or `method=kd`. */
import type { PageColumn } from './data';
import { keysOf } from './model';

type Test = (row: number) => boolean;

/** Whether a row matches all terms of `query`, separated by blanks; `"two words"` are one term. */
export function makeFilter(query: string, columns: readonly PageColumn[]): Test {
  const terms = query.match(/"[^"]*"?|[^\s"]+(?:"[^"]*"?)?/g) ?? [];
  const tests = terms.map((term) => comparison(term.replaceAll('"', ''), columns) ?? contains(term, columns));
  return (row) => tests.every((test) => test(row));
}

function contains(term: string, columns: readonly PageColumn[]): Test {
  const wanted = term.replaceAll('"', '').toLowerCase();
  return (row) => columns.some(({ texts }) => texts[row]!.toLowerCase().includes(wanted));
}

/** undefined if the term does not start with a column name and an operator. */
function comparison(term: string, columns: readonly PageColumn[]): Test | undefined {
  const [, name = '', sign = '', wanted = ''] = /^([^<>=!]+)(<=|>=|!=|=|<|>)(.*)$/.exec(term) ?? [];
  const column = columns.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (!column) return undefined;
  const keys = keysOf(column);
  const number = wanted.trim() === '' ? NaN : Number(wanted);
  const isEqual: Test = (row) =>
    typeof keys[row] === 'number' ? keys[row] === number : column.texts[row]!.toLowerCase() === wanted.toLowerCase();
  const compared = (test: (value: number) => boolean): Test => {
    return (row) => typeof keys[row] === 'number' && test(keys[row]);
  };
  const tests: Readonly<Record<string, Test>> = {
    '=': isEqual,
    '!=': (row) => !isEqual(row),
    '<': compared((value) => value < number),
    '>': compared((value) => value > number),
    '<=': compared((value) => value <= number),
    '>=': compared((value) => value >= number),
  };
  return tests[sign];
}
