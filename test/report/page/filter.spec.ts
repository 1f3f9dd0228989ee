import { expect } from 'chai';
import type { PageColumn } from '../../../report/page/data';
import { makeFilter } from '../../../report/page/filter';

const column = (name: string, texts: string[], keys?: (number | string | null)[]): PageColumn => {
  return { name, kind: 'other', shown: true, numeric: keys !== undefined, texts, ...(keys && { keys }) };
};
const columns = [
  column('directory', ['kd/a', 'kd/b', 'alone = plain', 'x']),
  column('alpha', ['0.5', '0.90', '', 'none'], [0.5, 0.9, null, null]),
  column('method', ['kd', 'KD', 'nokd', '']),
];
const passing = (query: string) => [0, 1, 2, 3].filter(makeFilter(query, columns));

describe('makeFilter', () => {
  const cases: Readonly<Record<string, number[]>> = {
    '': [0, 1, 2, 3],
    KD: [0, 1, 2],
    'kd/a': [0],
    'kd 0.5': [0],
    'alpha>=0.5': [0, 1],
    'alpha>0.5': [1],
    'alpha<0.9': [0],
    'alpha<=9e-1': [0, 1],
    'alpha=0.9': [1],
    'alpha!=0.9': [0, 2, 3],
    'alpha=none': [3],
    'alpha=': [2],
    'method=kd': [0, 1],
    'METHOD!=kd alpha=': [2],
    '"alone = plain"': [2],
    '"= pl': [2],
    'alpha>': [],
    'beta>0.5': [],
    '.*': [],
    '   ': [0, 1, 2, 3],
  };
  for (const [query, rows] of Object.entries(cases)) {
    it(`takes ${JSON.stringify(query)}`, () => expect(passing(query)).to.deep.equal(rows));
  }
});
