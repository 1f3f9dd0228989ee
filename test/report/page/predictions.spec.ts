/** Tests report/page/predictions.ts and report/page/difference.ts. */
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { pageData, type PageData } from '../../../report/page/data';
import { comparedRuns } from '../../../report/page/model';
import { rowsOf } from '../../../report/table/rows';
import { makeTable } from '../../../report/table/table';
import { finished, seenSoftly, writeRun, writeSeen } from '../../helpers/runs';

describe('the predictions on the page', () => {
  let parent: string;
  beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'page-predictions-'))));
  afterEach(() => rmSync(parent, { recursive: true }));

  const read = (): PageData => pageData(makeTable(rowsOf(collectRuns(parent))), parent);
  const labels = [0, 0, 0, 1];
  const put = (name: string, params: object, accuracy: number) =>
    writeRun(join(parent, name), finished(params, accuracy));
  const alone = { method: 'nokd', teacher: 'none' };
  const taught = { method: 'kd', teacher: 'resnet20' };

  it('give the calibration error of the table by their bins', () => {
    // (9/15, 10/15] has 0.625 twice, one of them right; (14/15, 1] has 1 right and 0.9375 wrong.
    const seen = { labels, student: [0, 1, 0, 0], confidences: [0.625, 0.625, 1, 0.9375] };
    writeSeen(put('a', alone, 0.5), seen);
    const { predictions, columns } = read();
    const [{ bins, calibrationError }] = predictions!.runs as [(typeof predictions & object)['runs'][number]];
    expect(bins.filter(({ images }) => images > 0)).to.deep.equal([
      { images: 2, correct: 1, confidence: 1.25 },
      { images: 2, correct: 1, confidence: 1.9375 },
    ]);
    const gaps = bins.map(({ images, correct, confidence }) =>
      images > 0 ? (images / 4) * Math.abs(correct / images - confidence / images) : 0,
    );
    const error = gaps.reduce((sum, gap) => sum + gap, 0);
    expect(error).to.equal((2 / 4) * (0.625 - 0.5) + (2 / 4) * (1.9375 / 2 - 0.5));
    expect(calibrationError).to.equal(error);
    const column = columns.find(({ name }) => name === 'test_calibration_error')!;
    expect([column.keys, column.texts]).to.deep.equal([[error], [error.toFixed(4)]]);
  });

  it('are those of the best finished runs, with their soft targets and test images by class', () => {
    writeSeen(put('a', alone, 0.5), { labels, student: [0, 0, 0, 0] });
    writeSeen(put('b', taught, 0.7), { labels, student: labels, teacher: [0, 0, 0, 0] });
    put('older', alone, 0.9);
    const unfinished = writeRun(join(parent, 'c'), { ...finished(taught, 0.8), test: undefined });
    writeSeen(unfinished, { labels, student: labels });
    const { runs, had, sets } = read().predictions!;
    expect([had, runs.map(({ directory, isTaught }) => [directory, isTaught])]).to.deep.equal([
      2,
      [
        ['b', true],
        ['a', false],
      ],
    ]);
    expect(sets).to.deep.equal([{ classes: ['cat', 'dog'], images: [3, 1] }]);
    expect(runs[1]!.classAccuracies).to.deep.equal([1, 0]);
    const { temperature, images, accuracy, confidences, softConfidences, softEntropies } = runs[0]!.teacher!;
    expect([temperature, images, accuracy]).to.deep.equal([seenSoftly.temperature, 4, 0.75]);
    const full = (counts: readonly number[]) => counts.flatMap((count, i) => (count > 0 ? [[i, count]] : []));
    // Of twenty bars: 0.875 and 0.625 of 1, and 0.6616 of ln 2 = 0.6931.
    expect([confidences, softConfidences, softEntropies].map(full)).to.deep.equal([[[17, 4]], [[12, 4]], [[19, 4]]]);
  });

  it('are left out where no run has any, or only such as are no numbers', () => {
    put('older', alone, 0.9);
    writeSeen(put('nan', alone, 0.5), { labels, student: labels, confidences: [0.5, NaN, 1, 1] });
    expect(read().predictions).to.equal(undefined);
  });

  it('compare with a teacher alone where no run without one has the same images', () => {
    const distilled = put('b', taught, 0.7);
    writeSeen(distilled, { labels, student: [0, 1, 1, 1], teacher: labels });
    expect(read().predictions!.difference).to.deep.include({ gained: 0, lost: 0, known: 4, differing: 2 });
    writeSeen(put('a', alone, 0.9), { labels: [0, 0, 1, 0], student: labels });
    const { difference } = read().predictions!;
    expect(difference).to.not.have.property('alone');
    expect(difference!.examples.map(({ index }) => index)).to.deep.equal([1, 2]);
    expect(difference!.examples[0]!.predictions.map(({ who, label, isRight }) => [who, label, isRight])).to.deep.equal([
      ['distilled', 'dog', false],
      ['teacher', 'cat', true],
    ]);
  });

  it('show no image of a file that is missing, a link or damaged, and name it', () => {
    const path = join(put('b', taught, 0.7), 'images_test.safetensors');
    writeSeen(join(parent, 'b'), { labels, student: [0, 1, 1, 1], teacher: labels });
    const elsewhere = join(parent, 'elsewhere');
    renameSync(path, elsewhere);
    const difference = () => read().predictions!.difference!;
    expect([difference().differing, difference().examples, difference().errors]).to.deep.equal([2, [], []]);
    symlinkSync(elsewhere, path);
    expect(difference().errors).to.deep.equal([`b/images_test.safetensors: a link, which is not followed`]);
    rmSync(path);
    writeFileSync(path, 'x');
    expect(difference().examples).to.deep.equal([]);
    expect(difference().errors).to.have.lengthOf(1);
    expect(difference().errors[0]).to.match(/^b\/images_test\.safetensors: not a valid safetensors file: /);
  });

  it('show two dozen images, of each pattern of right and wrong ones', () => {
    const many = Array.from({ length: 100 }, () => 0);
    // The first 60 images are wrong by the distilled student only, the next 3 by the teacher only.
    writeSeen(put('a', alone, 0.5), { labels: many, student: many });
    const student = many.map((_, i) => (i < 60 ? 1 : 0));
    writeSeen(put('b', taught, 0.7), {
      labels: many,
      student,
      teacher: many.map((_, i) => (i >= 60 && i < 63 ? 1 : 0)),
    });
    const { differing, lost, gained, examples } = read().predictions!.difference!;
    expect([differing, lost, gained]).to.deep.equal([63, 60, 0]);
    const shown = [60, 61, 62, ...Array.from({ length: 21 }, (_, i) => i)];
    expect(examples.map(({ index }) => index)).to.deep.equal(shown);
    expect(examples[0]!.uri).to.match(/^data:image\/png;base64,/);
  });

  it('are compared by default for the best run without a teacher and the best one with a teacher', () => {
    const run = (directory: string, isTaught: boolean) => ({ directory, isTaught }) as never;
    const namesOf = (runs: never[], chosen?: [string?, string?]) =>
      comparedRuns({ runs }, chosen).map((one) => one?.directory);
    const mixed = [run('a', true), run('b', true), run('c', false), run('d', false)];
    expect(namesOf(mixed)).to.deep.equal(['c', 'a']);
    expect(namesOf(mixed, ['d', undefined])).to.deep.equal(['d', 'a']);
    expect(namesOf(mixed, ['a', undefined])).to.deep.equal(['a', 'b']);
    expect(namesOf(mixed, ['a', 'a'])).to.deep.equal(['a', 'a']);
    expect(namesOf(mixed, ['gone', 'd'])).to.deep.equal(['c', 'd']);
    expect(namesOf(mixed.slice(0, 2))).to.deep.equal(['b', 'a']);
    expect(namesOf(mixed.slice(2))).to.deep.equal(['c', 'd']);
    expect(namesOf(mixed.slice(0, 1))).to.deep.equal(['a', undefined]);
  });
});
