import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { baselineIn, compareRows, type Comparison } from '../../../report/comparison';
import { mcnemar } from '../../../report/statistics/mcnemar';
import { rowsOf, statisticOf } from '../../../report/table/rows';
import { UserError } from '../../../utils/errors';
import { finished, writeHits, writePublishedRuns, writeRun, type Hits, type RunFiles } from '../../helpers/runs';

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
      put('T_4', finished({ temperature: 4 }, 0.5));
      put('T_4/repeat_1', finished({ temperature: 4, seed: 231 }, 0.5));
      expect(folds()).to.deep.equal([
        ['T_4*', 2],
        ['a/x_*/kd', 2],
        ['alone*', 2],
        ['b*', 2],
      ]);
    });

    it('names a run at the top and its repeats', () => {
      put('.', finished({}, 0.5));
      put('repeat_1', finished({ seed: 231 }, 0.5));
      expect(folds()).to.deep.equal([['., repeat_1', 2]]);
      put('repeat_2', finished({ seed: 232 }, 0.5));
      expect(folds()).to.deep.equal([['., repeat_*', 3]]);
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

  describe('compareRows', () => {
    /** Repeats with these accuracies, from seed 1 on, as one row. */
    function repeats(name: string, accuracies: readonly number[], firstSeed = 1): void {
      for (const [i, accuracy] of accuracies.entries()) {
        const params = { method: name, seed: firstSeed + i };
        put(`${name}/seed_${firstSeed + i}`, finished(params, accuracy));
      }
    }
    function compared(name: string): Comparison | undefined {
      const all = rows();
      const row = all.find(({ directory }) => directory === name)!;
      return compareRows(all, baselineIn(all, 'base')).get(row);
    }
    /** One run that was right on so many images of each class, with its predictions for the test images. */
    function predicting(name: string, { cat, dog }: Hits, params: object = {}, firstImage = 0): void {
      const accuracy = (cat[0] + dog[0]) / (cat[1] + dog[1]);
      writeHits(put(name, finished({ method: name, ...params }, accuracy)), 'test', { cat, dog }, 3, firstImage);
    }

    it('pairs runs by their seed, whatever their order', () => {
      repeats('base', [0.5, 0.6, 0.7]);
      repeats('kd', [0.63, 0.72], 2);
      const { n, mean, verdict } = compared('kd/seed_*')!;
      expect(n).to.equal(2);
      expect(mean).to.be.closeTo(0.025, 1e-12);
      expect(verdict).to.equal('inconclusive');
    });

    it('finds for what the t test of its seeds tells apart from 0', () => {
      // Differences with mean d and standard deviation 0.01 over n = 4: t = 3.1824, margin 0.015912.
      const differences = [-0.01, -0.01, 0.01, 0.01].map((one) => one * Math.sqrt(3 / 4));
      const margin = (3.182446305 * 0.01) / 2;
      const cases: [shift: number, verdict: string][] = [
        [0.01592, 'better'],
        [0.0159, 'inconclusive'],
        [-0.01592, 'worse'],
      ];
      for (const [shift, verdict] of cases) {
        repeats('base', [0.5, 0.6, 0.55, 0.65]);
        repeats(
          'kd',
          [0.5, 0.6, 0.55, 0.65].map((value, i) => value + shift + differences[i]!),
        );
        const { test, p, pHolm, interval, ...found } = compared('kd/seed_*')!;
        expect(found.verdict).to.equal(verdict);
        expect(test).to.equal('t');
        expect(p).to.be.closeTo(0.05, 2e-4);
        expect(pHolm).to.equal(p);
        expect(interval[1] - interval[0]).to.be.closeTo(2 * margin, 1e-9);
      }
    });

    it('asks more of each row the more there are', () => {
      // Differences of which SciPy's ttest_1samp gives p = 0.040519; of two rows with this p each counts twice.
      const shifts = [0.01, 0.01, 0.03, 0.03];
      repeats('base', [0.5, 0.6, 0.55, 0.65]);
      const add = (name: string, factor: number) =>
        repeats(
          name,
          [0.5, 0.6, 0.55, 0.65].map((value, i) => value + shifts[i]! * factor),
        );
      add('one', 1);
      expect(compared('one/seed_*')!.verdict).to.equal('better');
      add('two', 0.5);
      const found = compared('one/seed_*')!;
      expect(found.p).to.be.closeTo(0.040519, 1e-6);
      expect(found.pHolm).to.be.closeTo(2 * found.p, 1e-12);
      expect(found.verdict).to.equal('inconclusive');
      put('untested', finished({ method: 'untested', seed: 1 }, 0.9));
      expect(compared('one/seed_*')!.pHolm).to.be.closeTo(2 * found.p, 1e-12);
    });

    it('tests one pair of runs over their images', () => {
      predicting('base', { cat: [50, 100], dog: [80, 100] });
      predicting('good', { cat: [70, 100], dog: [75, 100] });
      const { n, mean, test, interval, p, verdict, classes } = compared('good')!;
      expect([n, test, verdict]).to.deep.equal([1, 'McNemar', 'better']);
      expect(mean).to.be.closeTo(0.075, 1e-12);
      expect(p).to.equal(mcnemar({ gained: 20, lost: 5 }));
      // 15 ± 1.96 · √(25 − 15²/200) of 200 images, but for the lattice.
      expect(interval[0]).to.be.closeTo(0.027, 0.005);
      expect(interval[1]).to.be.closeTo(0.123, 0.005);
      expect([...classes.keys()]).to.deep.equal(['cat', 'dog']);
      expect(classes.get('cat')).to.be.closeTo(0.2, 1e-12);
      expect(classes.get('dog')).to.be.closeTo(-0.05, 1e-12);
      predicting('bad', { cat: [30, 100], dog: [80, 100] });
      predicting('even', { cat: [52, 100], dog: [78, 100] });
      expect(compared('bad')).to.include({ test: 'McNemar', verdict: 'worse' });
      expect(compared('even')).to.include({ verdict: 'inconclusive', mean: 0, p: 1 });
    });

    it('tests over seeds where there are several, and gives the mean difference of each class', () => {
      for (const seed of [1, 2]) {
        predicting(`base/seed_${seed}`, { cat: [50, 100], dog: [80, 100] }, { method: 'base', seed });
        predicting(`kd/seed_${seed}`, { cat: [50 + 10 * seed, 100], dog: [80, 100] }, { method: 'kd', seed });
      }
      const { test, n, p, classes } = compared('kd/seed_*')!;
      expect([test, n]).to.deep.equal(['t', 2]);
      // t = 0.075 / 0.025 = 3 of one degree of freedom.
      expect(p).to.be.closeTo(1 - (2 / Math.PI) * Math.atan(3), 1e-9);
      expect(classes.get('cat')).to.be.closeTo(0.15, 1e-12);
      expect(classes.get('dog')).to.equal(0);
    });

    it('does not test one pair of runs on other images, or of predictions of another epoch', () => {
      const hits: Hits = { cat: [50, 100], dog: [80, 100] };
      const better: Hits = { cat: [90, 100], dog: [80, 100] };
      predicting('base', hits);
      predicting('elsewhere', better, {}, 1);
      predicting('fewer', { cat: [90, 99], dog: [80, 100] });
      writeHits(put('stale', finished({ method: 'stale' }, 0.85)), 'test', better, 2);
      put('none', finished({ method: 'none' }, 0.85));
      for (const name of ['elsewhere', 'fewer', 'stale', 'none']) {
        expect(compared(name), name).to.include({ n: 1, test: undefined, verdict: 'single run' });
        expect(compared(name)!.pHolm).to.deep.equal(NaN);
      }
      expect(compared('stale')!.classes.size).to.equal(0);
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
        '--baseline: kd contains 2 experiments; choose one of them',
      );
      expect(() => baselineIn(rows(), '.')).to.throw(UserError, 'contains 3 experiments');
      expect(() => baselineIn(rows(), 'bas')).to.throw(UserError, '--baseline: bas contains no run');
    });

    it('refuses a baseline without a result', () => {
      put('going', { ...finished({ num_epochs: 9 }, 0.5), test: undefined });
      expect(() => baselineIn(rows(), 'going')).to.throw(UserError, 'going has no result to compare with');
    });
  });
});
