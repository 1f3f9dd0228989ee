/**
 * Tests all pruners of search/pruners/. What every pruner does. A new one is tested by being listed in
 * search/pruners/index.ts.
 */
import { expect } from 'chai';
import { createPruner, pruners, pruningEpoch, type Curve, type PrunerName } from '../../../search/pruners';
import { parseSettings } from '../../../search/settings/settings';
import { learningCurves } from '../../helpers/curves';
import { prune } from '../../helpers/search';

const curves = learningCurves(1, 30, 27);

for (const name of Object.keys(pruners) as PrunerName[]) {
  describe(`pruner ${name}`, () => {
    const create = () => {
      const { pruner, seed } = parseSettings({ space: { x: [1] }, pruner: name }, 'search.json');
      return createPruner(pruner, seed);
    };
    const complete = curves.map((values, number): Curve => ({ number, values, state: 'complete' }));
    const running = (values: readonly number[], number = 100): Curve => ({ number, values, state: 'running' });

    it('lets the first trial run to its end', () => {
      const values = [...curves[0]!].reverse();
      for (let epoch = 1; epoch <= values.length; epoch++) {
        expect(create().shouldPrune(running(values.slice(0, epoch)), [])).to.equal(false);
      }
    });

    it('never stops a trial that is the best at every epoch', () => {
      for (let trial = 100; trial < 120; trial++) {
        for (let epoch = 1; epoch <= 27; epoch++) {
          expect(create().shouldPrune(running(Array<number>(epoch).fill(1), trial), complete)).to.equal(false);
        }
      }
    });

    it('says the same again, whatever the order of the others, and changes nothing', () => {
      const used = create();
      for (const [trial, values] of curves.entries()) {
        for (const epoch of [1, 3, 4, 9, 16, 20]) {
          const others = [
            ...complete,
            running([0.5, 0.6], 101),
            running([], 102),
            { ...running([0.3], 103), state: 'failed' as const },
          ];
          const before = structuredClone(others);
          const verdict = used.shouldPrune(running(values.slice(0, epoch), 200 + trial), others);
          expect(create().shouldPrune(running(values.slice(0, epoch), 200 + trial), others.toReversed())).to.equal(
            verdict,
          );
          expect(others).to.deep.equal(before);
        }
      }
    });

    it('is not confused by rivals that became no number', () => {
      const others = [...complete, running([NaN, NaN, NaN, NaN], 101)];
      for (const epoch of [1, 3, 4]) {
        expect(create().shouldPrune(running(Array<number>(epoch).fill(1)), others)).to.equal(false);
      }
    });

    it(`${name === 'none' ? 'stops nothing' : 'stops the worst of many, and at once what is no number'}`, () => {
      const stops = (values: number[]) => {
        return Array.from({ length: 27 }, (_, i) =>
          create().shouldPrune(running(values.slice(0, i + 1)), complete),
        ).includes(true);
      };
      expect(stops(Array<number>(27).fill(0))).to.equal(name !== 'none');
      expect(create().shouldPrune(running([0.9, NaN]), [])).to.equal(name !== 'none');
      const stopped = prune(create(), curves, 2).filter(({ state }) => state === 'pruned');
      if (name === 'none') expect(stopped).to.have.lengthOf(0);
      else expect(stopped).to.have.lengthOf.within(5, 29);
    });
  });
}

describe('pruningEpoch', () => {
  it('asks for each epoch since it was last asked', () => {
    const asked: number[] = [];
    const pruner = {
      shouldPrune: ({ values }: Curve) => {
        asked.push(values.length);
        return values.length === 4;
      },
    };
    const trial: Curve = { number: 0, values: [1, 2, 3, 4, 5], state: 'running' };
    expect(pruningEpoch(pruner, trial, 1, [])).to.equal(4);
    expect(asked).to.deep.equal([2, 3, 4]);
    expect(pruningEpoch(pruner, trial, 4, [])).to.equal(undefined);
    expect(pruningEpoch(pruner, trial, 5, [])).to.equal(undefined);
    expect(asked).to.deep.equal([2, 3, 4, 5]);
  });
});
