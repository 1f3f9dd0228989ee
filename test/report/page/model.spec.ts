import { expect } from 'chai';
import type { PageColumn, PageData } from '../../../report/page/data';
import { domainOf, goalOf, inOrder, ranked, scoreRange, searchedParams } from '../../../report/page/model';

const column = (name: string, keys: (number | string | null)[], kind: PageColumn['kind'] = 'param'): PageColumn => {
  return { name, kind, shown: true, numeric: true, texts: keys.map((key) => String(key ?? '')), keys };
};

describe('the model of the page', () => {
  it('searches params that differ, alpha and temperature first, the seed never', () => {
    const columns = [
      column('rate', [1, 2, 3]),
      column('temperature', [1, 2, null]),
      column('same', [1, null, 1]),
      column('seed', [1, 2, 3]),
      column('alpha', [0.1, 0.2, 0.3]),
      column('status', ['a', 'b', 'c'], 'other'),
    ];
    const names = searchedParams({ columns } as unknown as PageData).map(({ name }) => name);
    expect(names).to.deep.equal(['alpha', 'temperature', 'rate']);
  });

  it('ranks by a metric, the best first, rows without it left out', () => {
    const keys = [0.5, null, 0.9, 0.7];
    expect(ranked(column('val_accuracy', keys), [0, 1, 2, 3])).to.deep.equal([2, 3, 0]);
    expect(ranked(column('val_loss', keys), [0, 1, 2])).to.deep.equal([0, 2]);
    expect(['test_accuracy', 'val_loss', 'val_logit_difference'].map(goalOf)).to.deep.equal([
      'maximize',
      'minimize',
      'minimize',
    ]);
  });

  it('takes numbers by magnitude where they span decades and crowd at the lower end', () => {
    const rates = [1e-4, 3e-4, 1e-3, 3e-3, 1e-1];
    expect(domainOf(rates)).to.deep.equal({ kind: 'number', low: 1e-4, high: 0.1, log: true });
    expect(domainOf([1e-4, 1e-3, 1e-2, 1e-1])).to.deep.include({ log: true });
    expect(domainOf([0.001, 0.4, 0.5, 0.9])).to.deep.include({ log: false });
    expect(domainOf([0, 1, 1000])).to.deep.include({ log: false });
    expect(domainOf(['sgd', 10, 9, 'adam'])).to.deep.equal({ kind: 'choice', choices: [9, 10, 'adam', 'sgd'] });
    expect(domainOf([7, 7])).to.deep.equal({ kind: 'choice', choices: [7] });
    expect(inOrder(['resnet20', 'resnet8', 'resnet20'])).to.deep.equal(['resnet8', 'resnet20']);
  });

  it('gives colors to the bulk of the scores, and the last one to all that are far worse', () => {
    expect(scoreRange([0.7, 0.71, 0.72, 0.73, 0.1], 'maximize')).to.deep.equal([0.7, 0.73]);
    expect(scoreRange([1, 1.1, 1.2, 1.3, 90], 'minimize')).to.deep.equal([1.3, 1]);
    expect(scoreRange([0.5, 0.6, 0.7, 0.8], 'maximize')).to.deep.equal([0.5, 0.8]);
    expect(scoreRange([0.5], 'maximize')).to.deep.equal([0.5, 0.5]);
  });
});
