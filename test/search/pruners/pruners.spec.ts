import { expect } from 'chai';
import { createPruner, type Curve, type PrunerSettings } from '../../../search/pruners';
import { bracketShares } from '../../../search/pruners/hyperband';
import expected from '../../fixtures/search.json';
import { learningCurves } from '../../helpers/curves';
import { prune } from '../../helpers/search';

const epochsOf = (trials: readonly Curve[]) => trials.reduce((sum, { values }) => sum + values.length, 0);
const bestOf = (trials: readonly Curve[]) =>
  Math.max(...trials.filter(({ state }) => state === 'complete').map(({ values }) => values.at(-1)!));

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
    const rivals = Array.from({ length: 400 }, (_, trial): Curve => {
      return { trial, values: Array<number>(27).fill(1), state: 'complete' };
    });
    const counts = new Map<number, number>();
    const trials = 4000;
    for (let trial = 1000; trial < 1000 + trials; trial++) {
      const epoch = [1, 3, 9, 27].find((epoch) => {
        return pruner.prunes({ trial, values: Array<number>(epoch).fill(0), state: 'running' }, rivals);
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
    const bad = (epochs: number): Curve => ({ trial: 0, values: Array<number>(epochs).fill(0), state: 'running' });
    const good = (epochs: number, state: Curve['state']): Curve => {
      return { trial: epochs, values: Array<number>(epochs).fill(1), state };
    };
    const stops = (others: Curve[]) => [1, 2, 3, 4, 5, 8].filter((epoch) => pruner.prunes(bad(epoch), others));
    expect(stops([good(300, 'running'), good(200, 'pruned'), good(100, 'failed')])).to.deep.equal([]);
    expect(stops([good(250, 'complete'), good(300, 'running')])).to.deep.equal([2, 8]);
    expect(stops([good(27, 'complete')])).to.deep.equal([1, 4]);
  });
});

describe('pruning', () => {
  const kinds: PrunerSettings[] = [
    { name: 'median', startup_trials: 5, warmup_epochs: 0 },
    { name: 'asha', reduction_factor: 4 },
    { name: 'hyperband', min_epochs: 1, reduction_factor: 3 },
  ];
  for (const settings of kinds) {
    it(`by ${settings.name} finds the best of 64 curves, to 1 % mostly and 2 % always, in 40 % of the epochs`, () => {
      const ratios = Array.from({ length: 10 }, (_, seed) => {
        const curves = learningCurves(seed, 64, 64);
        const everything = prune(createPruner({ name: 'none' }, seed), curves, 4);
        const rest = prune(createPruner(settings, seed), curves, 4);
        return { epochs: epochsOf(rest) / epochsOf(everything), best: bestOf(rest) / bestOf(everything) };
      });
      expect(Math.max(...ratios.map(({ epochs }) => epochs))).to.be.below(0.4);
      expect(Math.min(...ratios.map(({ best }) => best))).to.be.above(0.98);
      expect(ratios.filter(({ best }) => best > 0.99)).to.have.lengthOf.at.least(9);
    });
  }
});
