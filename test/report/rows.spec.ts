import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collectRuns } from '../../report/collect';
import { baselineIn, compare, type Comparison } from '../../report/comparison';
import { rowsOf, statisticOf } from '../../report/rows';
import { UserError } from '../../utils/errors';
import { finished, writePublishedRuns, writeRun, type RunFiles } from '../helpers/runs';

let parent: string;
const put = (name: string, files: RunFiles) => writeRun(join(parent, name), files);
const rows = () => rowsOf(collectRuns(parent));
const folds = () => rows().map((row) => [row.directory, row.runs.length]);

describe('rows and comparisons', () => {
  beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'rows-'))));
  afterEach(() => rmSync(parent, { recursive: true }));

  describe('rowsOf', () => {
    it('folds runs that differ in the seed alone', () => {
      for (const seed of [1, 2, 10]) {
        put(`kd/seed_${seed}`, finished({ alpha: 0.5, seed }, 0.7));
        put(`alone/seed_${seed}`, finished({ seed }, 0.6));
      }
      expect(folds()).to.deep.equal([
        ['alone/seed_*', 3],
        ['kd/seed_*', 3],
      ]);
      expect(rows()[1]!.params.get('alpha')).to.equal(0.5);
      expect(rows()[1]!.params.has('seed')).to.equal(false);
    });

    it('names them by what their directories have in common', () => {
      for (const seed of [12, 13]) {
        put(`a/x_${seed}/kd`, finished({ alpha: 0.1, seed }, 0.5));
        put(`b${seed}`, finished({ alpha: 0.2, seed }, 0.5));
      }
      put('alone', finished({ alpha: 0.3 }, 0.5));
      put('alone/repeat_1', finished({ alpha: 0.3, seed: 231 }, 0.5));
      expect(folds()).to.deep.equal([
        ['a/x_*/kd', 2],
        ['alone*', 2],
        ['b*', 2],
      ]);
    });

    it('keeps apart what is no repeat: the same seed twice, another param, an unfinished run, unknown params', () => {
      put('copy/a', finished({ alpha: 0.1, seed: 1 }, 0.5));
      put('copy/b', finished({ alpha: 0.1, seed: 1 }, 0.5));
      put('other/a', finished({ alpha: 0.2, seed: 1, threads: 1 }, 0.5));
      put('other/b', finished({ alpha: 0.2, seed: 2 }, 0.5));
      put('going/a', { ...finished({ alpha: 0.3, seed: 1 }, 0.5), test: undefined });
      put('going/b', finished({ alpha: 0.3, seed: 2 }, 0.5));
      put('unknown/a', { val: { accuracy: 0.5 } });
      put('unknown/b', { val: { accuracy: 0.5 } });
      const names = ['copy/a', 'copy/b', 'going/a', 'going/b', 'other/a', 'other/b', 'unknown/a', 'unknown/b'];
      expect(folds()).to.deep.equal(names.map((name) => [name, 1]));
    });

    it('folds none of 124 published runs, which have no seeds', () => {
      writePublishedRuns(parent);
      expect(rows()).to.have.lengthOf(124);
    });
  });

  it('statisticOf gives mean, standard deviation and count', () => {
    expect(statisticOf([1, 2, 3])).to.deep.equal({ mean: 2, standardDeviation: 1, n: 3 });
    expect(statisticOf([4]).standardDeviation).to.deep.equal(NaN);
  });

  describe('compare', () => {
    /** Repeats with these accuracies, from seed 1 on, as one row. */
    function repeats(name: string, accuracies: readonly number[], firstSeed = 1): void {
      for (const [i, accuracy] of accuracies.entries()) {
        const params = { method: name, seed: firstSeed + i };
        put(`${name}/seed_${firstSeed + i}`, finished(params, accuracy));
      }
    }
    function compared(name: string): Comparison | undefined {
      const all = rows();
      return compare(
        all.find((row) => row.directory === name)!,
        baselineIn(all, 'base'),
      );
    }

    it('pairs runs by their seed, whatever their order', () => {
      repeats('base', [0.5, 0.6, 0.7]);
      repeats('kd', [0.63, 0.72], 2);
      const { n, mean, verdict } = compared('kd/seed_*')!;
      expect(n).to.equal(2);
      expect(mean).to.be.closeTo(0.025, 1e-12);
      expect(verdict).to.equal('inconclusive');
    });

    it('finds for what the interval excludes 0', () => {
      // Differences with mean d and standard deviation 0.01 over n = 4: t = 3.1824, margin 0.015912.
      const differences = [-0.01, -0.01, 0.01, 0.01].map((one) => one * Math.sqrt(3 / 4));
      repeats('base', [0.5, 0.6, 0.55, 0.65]);
      const shifted = (shift: number) => [0.5, 0.6, 0.55, 0.65].map((value, i) => value + shift + differences[i]!);
      repeats('better', shifted(0.01592));
      repeats('even', shifted(0.0159));
      repeats('worse', shifted(-0.01592));
      expect(compared('better/seed_*')!.verdict).to.equal('better');
      expect(compared('even/seed_*')!.verdict).to.equal('inconclusive');
      expect(compared('worse/seed_*')!.verdict).to.equal('worse');
      const [low, high] = compared('worse/seed_*')!.interval;
      expect(high - low).to.be.closeTo((2 * 3.182446305 * 0.01) / 2, 1e-9);
    });

    it('does not judge a single run, or runs without a common seed', () => {
      repeats('base', [0.5, 0.6]);
      put('one', finished({ method: 'one', seed: 2 }, 0.9));
      put('far', finished({ method: 'far', seed: 9 }, 0.9));
      expect(compared('one')).to.deep.include({ n: 1, verdict: 'single run' });
      expect(compared('one')!.mean).to.be.closeTo(0.3, 1e-12);
      expect(compared('far')).to.deep.include({ n: 0, verdict: 'no common seed' });
    });

    it('leaves out the baseline, and what has no final score', () => {
      repeats('base', [0.5, 0.6]);
      put('going', { ...finished({ method: 'x', num_epochs: 9 }, 0.5), test: undefined });
      put('published', { params: { alpha: 1 }, val: { accuracy: 0.9, loss: 0 } });
      expect(compared('base/seed_*')).to.equal(undefined);
      expect(compared('going')).to.equal(undefined);
      expect(compared('published')).to.equal(undefined);
    });

    it('compares validation accuracies where the baseline has no test score', () => {
      put('base', { params: { alpha: 0 }, val: { accuracy: 0.8, loss: 0 } });
      put('kd', { params: { alpha: 1 }, val: { accuracy: 0.85, loss: 0 } });
      expect(baselineIn(rows(), 'base').metric).to.equal('val_accuracy');
      expect(compared('kd')!.mean).to.be.closeTo(0.05, 1e-12);
      expect(compared('kd')!.verdict).to.equal('single run');
    });

    it('takes as baseline the row of a run, or the only row below a directory', () => {
      repeats('base', [0.5, 0.6]);
      repeats('kd', [0.5, 0.6]);
      put('kd/seed_1/deeper', finished({ method: 'deeper' }, 0.5));
      for (const name of ['base', 'base/seed_2'])
        expect(baselineIn(rows(), name).row.directory).to.equal('base/seed_*');
      expect(baselineIn(rows(), 'kd/seed_1').row.directory).to.equal('kd/seed_*');
      expect(() => baselineIn(rows(), 'kd')).to.throw(
        UserError,
        '--baseline: kd holds 2 experiments; name one of them',
      );
      expect(() => baselineIn(rows(), '.')).to.throw(UserError, 'holds 3 experiments');
      expect(() => baselineIn(rows(), 'bas')).to.throw(UserError, '--baseline: bas holds no run');
    });

    it('refuses a baseline without a result', () => {
      put('going', { ...finished({ num_epochs: 9 }, 0.5), test: undefined });
      expect(() => baselineIn(rows(), 'going')).to.throw(UserError, 'going has no result to compare with');
    });
  });
});
