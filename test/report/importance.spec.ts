import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { importances, type SearchedParam } from '../../report/importance';
import type { Goal } from '../../report/pareto';
import type { Scalar } from '../../utils/flatten';

interface Case {
  readonly goal: Goal;
  readonly scores: number[];
  readonly params: {
    readonly name: string;
    readonly domain: SearchedParam['domain'];
    readonly values: (Scalar | null)[];
    readonly importance: number;
  }[];
}

const cases = JSON.parse(readFileSync(join(__dirname, '../fixtures/importance.json'), 'utf8')) as Case[];

describe('importances', () => {
  for (const { goal, scores, params } of cases) {
    it(`are those of Optuna for ${scores.length} trials, where the ${goal === 'maximize' ? 'highest' : 'lowest'} is best`, () => {
      const searched = params.map(({ domain, values }) => ({
        domain,
        values: values.map((value) => value ?? undefined),
      }));
      const ours = importances(searched, scores, goal);
      for (const [i, { name, importance }] of params.entries()) expect(ours[i], name).to.be.closeTo(importance, 1e-9);
    });
  }

  it('are those of a calculation by hand for two choices', () => {
    // The best of ten has choice a, as have five of all. Densities, with a prior as heavy as one run:
    // top: weights 1/2, 1/2 on kernels [3/4, 1/4] and [1/2, 1/2]; all: 5/11, 5/11, 1/11 on [4/5, 1/5], [1/5, 4/5], [1/2, 1/2].
    // So p = [5/8, 3/8], q = [1/2, 1/2], and Σ q (p/q − 1)² = 1/16 of the first.
    const half: SearchedParam = {
      domain: { kind: 'choice', choices: ['a', 'b'] },
      values: [...'ababababab'],
    };
    // Here the best has x, as one other of all: p = [5/8, 3/8] again, but q of 2 and 8: weights 2/11, 8/11, 1/11.
    const rare: SearchedParam = { domain: half.domain, values: [...'abbbbabbbb'] };
    const q = (2 / 11) * (4 / 5) + (8 / 11) * (1 / 5) + (1 / 11) * (1 / 2);
    const byHand = (5 / 8 - q) ** 2 / q + (3 / 8 - (1 - q)) ** 2 / (1 - q);
    const shares = importances([half, rare], [9, 1, 2, 3, 4, 5, 6, 7, 8, 0], 'maximize');
    expect(shares[0]).to.be.closeTo(1 / 16 / (1 / 16 + byHand), 1e-10);
    expect(shares[1]).to.be.closeTo(byHand / (1 / 16 + byHand), 1e-10);
  });

  it('are 0 where all runs score the same', () => {
    const domain = { kind: 'number', low: 0, high: 1, log: false } as const;
    expect(importances([{ domain, values: [0, 0.5, 1] }], [1, 1, 1], 'maximize')).to.deep.equal([0]);
  });
});
