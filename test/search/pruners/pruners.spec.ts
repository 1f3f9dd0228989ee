/** Tests search/pruners/. */
import { expect } from 'chai';
import { createPruner, type Curve, type PrunerSettings } from '../../../search/pruners';
import { bracketShares } from '../../../search/pruners/hyperband';
import expected from '../../fixtures/search.json';
import { learningCurves, recordedCurves } from '../../helpers/curves';
import { prune } from '../../helpers/search';

describe('median and asha', () => {
  for (const { pruner, workers, epochs } of expected.pruning.runs) {
    it(`stop trials where Optuna does: ${JSON.stringify(pruner)}, ${workers} at a time`, () => {
      const kept = prune(createPruner(pruner as PrunerSettings, 0), expected.pruning.curves, workers);
      expect(kept.map(({ values }) => values.length)).to.deep.equal(epochs);
    });
  }
});

describe('hyperband', () => {
  it('has Optuna’s brackets', () => {
    for (const { min_epochs, max_epochs, reduction_factor, shares } of expected.brackets) {
      expect(bracketShares(max_epochs / min_epochs, reduction_factor)).to.deep.equal(shares);
    }
  });

  it('deals trials to brackets by their shares, which stop them from different epochs on', () => {
    const pruner = createPruner({ name: 'hyperband', min_epochs: 1, max_epochs: 27, reduction_factor: 3 }, 230);
    // Rivals in plenty make a bad trial stop at the first rung of its bracket.
    const rivals = Array.from({ length: 400 }, (_, number): Curve => {
      return { number, values: Array<number>(27).fill(1), state: 'complete' };
    });
    const counts = new Map<number, number>();
    const trials = 4000;
    for (let number = 1000; number < 1000 + trials; number++) {
      const epoch = [1, 3, 9, 27].find((epoch) => {
        return pruner.shouldPrune({ number, values: Array<number>(epoch).fill(0), state: 'running' }, rivals);
      });
      counts.set(epoch!, (counts.get(epoch!) ?? 0) + 1);
    }
    const shares = [27, 12, 6, 4];
    [1, 3, 9, 27].forEach((epoch, s) => {
      const share = shares[s]! / 49;
      const deviation = Math.sqrt((share * (1 - share)) / trials);
      expect(counts.get(epoch)! / trials).to.be.closeTo(share, 4 * deviation);
    });
  });
});

describe('asha', () => {
  it('without "min_epochs" waits for a complete trial, and has its first rung at a hundredth of it', () => {
    const pruner = createPruner({ name: 'asha', reduction_factor: 4 }, 0);
    const bad = (epochs: number): Curve => ({ number: 0, values: Array<number>(epochs).fill(0), state: 'running' });
    const good = (epochs: number, state: Curve['state']): Curve => {
      return { number: epochs, values: Array<number>(epochs).fill(1), state };
    };
    const stops = (others: Curve[]) => [1, 2, 3, 4, 5, 8].filter((epoch) => pruner.shouldPrune(bad(epoch), others));
    expect(stops([good(300, 'running'), good(200, 'pruned'), good(100, 'failed')])).to.deep.equal([]);
    expect(stops([good(250, 'complete'), good(300, 'running')])).to.deep.equal([2, 8]);
    expect(stops([good(27, 'complete')])).to.deep.equal([1, 4]);
  });
});

/** The epochs that a pruner leaves of learning curves, and the best value of a complete one, as parts of all. */
function pruned(settings: PrunerSettings, curves: readonly (readonly number[])[], workers: number) {
  const epochsOf = (trials: readonly Curve[]) => trials.reduce((sum, { values }) => sum + values.length, 0);
  // A search takes the value of the best epoch, whose weights are kept.
  const bestOf = (trials: readonly Curve[]) =>
    Math.max(...trials.filter(({ state }) => state === 'complete').flatMap(({ values }) => values));
  const everything = prune(createPruner({ name: 'none' }, 0), curves, workers);
  const rest = prune(createPruner(settings, 0), curves, workers);
  return { epochs: epochsOf(rest) / epochsOf(everything), best: bestOf(rest) / bestOf(everything) };
}

describe('pruning', () => {
  const asha: PrunerSettings = { name: 'asha', reduction_factor: 4 };
  const sets = 20;
  // Sets in which the best value is reached to 1 %; the least of it that is reached; the most of the epochs that it takes.
  const kinds: [PrunerSettings, within: number, least: number, most: number][] = [
    [{ name: 'median', startup_trials: 5, warmup_epochs: 0 }, 20, 0.99, 0.5],
    [asha, 17, 0.975, 0.2],
    [{ name: 'hyperband', min_epochs: 1, reduction_factor: 3 }, 20, 0.99, 0.3],
  ];
  for (const [settings, within, least, most] of kinds) {
    const spent = `${100 * most} % of the epochs`;
    it(`by ${settings.name} finds the best of 64 drawn curves to 1 % in ${within} of ${sets} sets, in ${spent}`, () => {
      const parts = Array.from({ length: sets }, (_, seed) => pruned(settings, learningCurves(seed, 64, 64), 4));
      expect(parts.filter(({ best }) => best > 0.99)).to.have.lengthOf.at.least(within);
      expect(Math.min(...parts.map(({ best }) => best))).to.be.above(least);
      expect(Math.max(...parts.map(({ epochs }) => epochs))).to.be.below(most);
    });
  }

  // The second best of them is 2 % behind the best; the standard error of an accuracy is 1 % of it.
  for (const workers of [1, 2, 4]) {
    it(`by asha finds the best of 40 recorded curves, or the second, in 30 % of the epochs, ${workers} at a time`, () => {
      const parts = Array.from({ length: sets }, (_, order) => pruned(asha, recordedCurves(order), workers));
      expect(parts.filter(({ best }) => best === 1)).to.have.lengthOf.at.least(15);
      expect(Math.min(...parts.map(({ best }) => best))).to.be.above(0.98);
      expect(Math.max(...parts.map(({ epochs }) => epochs))).to.be.below(0.3);
    });
  }
});
