import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { baselineIn } from '../../../report/comparison';
import { rowsOf } from '../../../report/table/rows';
import { makeTable, type Table, type TableOptions } from '../../../report/table/table';
import { toCsv } from '../../../report/writers/csv';
import { toJson } from '../../../report/writers/json';
import { toMarkdown } from '../../../report/writers/markdown';
import { toTerminal } from '../../../report/writers/terminal';
import { UserError } from '../../../utils/errors';
import { finished, writeHits, writePublishedRuns, writeRun, type RunFiles } from '../../helpers/runs';

let parent: string;
const put = (name: string, files: RunFiles) => writeRun(join(parent, name), files);

function table(options: Omit<TableOptions, 'baseline'> & { baseline?: string } = {}): Table {
  const rows = rowsOf(collectRuns(parent));
  const { baseline, ...others } = options;
  return makeTable(rows, { ...others, ...(baseline !== undefined && { baseline: baselineIn(rows, baseline) }) });
}

/** Header and rows as texts. */
function cells({ columns, sections }: Table): string[][] {
  const rows = sections.flatMap((section) => section.rows);
  return [columns.map(({ name }) => name), ...rows.map((row) => columns.map((column) => column.text(row)))];
}

/** What a column shows, from top to bottom. */
function shown(
  name: string,
  options: Omit<TableOptions, 'columns' | 'baseline'> & { baseline?: string } = {},
): string[] {
  return cells(table({ ...options, columns: [name] }))
    .slice(1)
    .map(([cell]) => cell!);
}

/** Fields of RFC 4180, read character by character. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [[]];
  let field = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (quoted && character === '"' && text[i + 1] === '"') field += text[i++];
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === ',' || character === '\r')) {
      lines.at(-1)!.push(field);
      field = '';
      if (character === '\r') {
        expect(text[++i]).to.equal('\n');
        lines.push([]);
      }
    } else field += character;
  }
  expect(lines.pop()).to.deep.equal([]);
  return lines;
}

describe('tables', () => {
  beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'table-'))));
  afterEach(() => rmSync(parent, { recursive: true }));

  describe('makeTable', () => {
    it('shows the params that differ, metrics, cost and status', () => {
      put('a', finished({ alpha: 0.5, teacher: { model: 'resnet18' }, seed: 1 }, 0.7));
      put('b', finished({ alpha: 0.9, teacher: { model: 'resnet18' }, threads: 2, seed: 1 }, 0.8));
      expect(cells(table())).to.deep.equal([
        [
          ...['directory', 'alpha', 'threads', 'val_accuracy', 'val_loss', 'test_accuracy', 'test_loss'],
          ...['best_epoch', 'parameters', 'flops', 'time', 'status'],
        ],
        ['a', '0.5', '', '0.6900', '0.8000', '0.7000', '0.8000', '3', '269,722', '81.1 M', '03:31', 'finished'],
        ['b', '0.9', '2', '0.7900', '0.7000', '0.8000', '0.7000', '3', '269,722', '81.1 M', '03:31', 'finished'],
      ]);
    });

    it('shows repeats as mean ± standard deviation (n)', () => {
      for (const [i, accuracy] of [0.7, 0.72, 0.74].entries()) put(`kd/seed_${i}`, finished({ seed: i }, accuracy));
      put('one', finished({ alpha: 1, seed: 0 }, 0.5));
      const result = table();
      expect(cells(result)[0]).to.include.members(['alpha', 'seed']);
      const [row, single] = cells(result).slice(1);
      expect(row!.slice(0, 3)).to.deep.equal(['kd/seed_*', '', '']);
      expect(row).to.include('0.7200 ± 0.0200 (3)').and.include('269,722');
      expect(single).to.include('0.5000').and.include('0');
      expect(result.notes).to.deep.equal([
        'a ± b (n): mean and standard deviation over n runs that differ only in the seed.',
      ]);
    });

    it('marks scores that were chosen on the test set', () => {
      put('old', { params: { alpha: 1 }, val: { accuracy: 0.9, loss: 0 } });
      put('clean', finished({}, 0.8));
      const onTest = { accuracy: 0.7, loss: 1, epoch: 3, selected_on: 'test' };
      put('test', { ...finished({ validation: 'test' }, 0.7), val: onTest, test: onTest });
      expect(shown('val_accuracy')).to.deep.equal(['0.7900', '0.9000†', '0.7000†']);
      expect(shown('test_accuracy')).to.deep.equal(['0.8000', '', '0.7000†']);
      expect(table().notes[0]).to.match(/^† /);
      expect(table({ columns: ['status'] }).notes).to.deep.equal([]);
    });

    it('says how far an unfinished run is and which file is broken', () => {
      put('broken', finished({}, 0.7));
      for (const name of ['run.json', 'metrics.jsonl']) writeFileSync(join(parent, 'broken', name), '{');
      put('going', { ...finished({}, 0.7, 2), params: { num_epochs: 30 }, test: undefined });
      put('new', { params: { alpha: 1 }, run: { version: '0.1.0' } });
      expect(shown('status')).to.deep.equal(['broken: run.json, metrics.jsonl', 'interrupted 2/30', 'interrupted']);
      expect(table().notes.map((note) => note.split(':')[0])).to.deep.equal([
        'broken/run.json',
        'broken/metrics.jsonl',
      ]);
    });

    it('tells of twenty broken files and counts the others', () => {
      for (let i = 0; i < 23; i++) writeFileSync(join(put(`run_${i}`, {}), 'run.json'), '');
      expect(table().notes).to.have.lengthOf(21);
      expect(table().notes.at(-1)).to.equal('and 3 more unreadable files.');
    });

    it('compares with a baseline', () => {
      for (const [i, accuracy] of [0.6, 0.62].entries()) {
        put(`alone/seed_${i}`, finished({ seed: i }, accuracy));
        put(`kd/seed_${i}`, finished({ seed: i, alpha: 1 }, accuracy + 0.05 + 0.001 * i));
      }
      put('single', finished({ seed: 1, alpha: 0.5 }, 0.6));
      const options = { baseline: 'alone' };
      expect(shown('verdict', options)).to.deep.equal(['baseline', 'better', 'single run']);
      // Differences 0.050 and 0.051: mean 0.0505, standard error 0.0005, t of one degree of freedom 12.706.
      expect(shown('difference', options)).to.deep.equal(['', '+0.0505 [+0.0441, +0.0569]', '-0.0200']);
      expect(table(options).notes.at(-1)).to.match(
        /^difference: test_accuracy minus that of alone\/seed_\*.*below 0\.05\.$/,
      );
      expect(table(options).notes.at(-1)).not.to.include('corrected');
    });

    it('corrects what it says of several rows, and says so', () => {
      for (const [i, accuracy] of [0.6, 0.62].entries()) {
        put(`alone/seed_${i}`, finished({ seed: i }, accuracy));
        put(`kd/seed_${i}`, finished({ seed: i, alpha: 1 }, accuracy + 0.05 + 0.001 * i));
        put(`other/seed_${i}`, finished({ seed: i, alpha: 2 }, accuracy + 0.01 + 0.03 * i));
      }
      const options = { baseline: 'alone' };
      // t = 101 and 5/3 of one degree of freedom: p = 1 − 2/π · atan(t) = 0.0063 and 0.3440; the smaller one twice.
      expect(shown('p', options)).to.deep.equal(['', '0.0063', '0.3440']);
      expect(shown('p_holm', options)).to.deep.equal(['', '0.0126', '0.3440']);
      expect(shown('compared_by', options)).to.deep.equal(['', 't', 't']);
      expect(shown('verdict', options)).to.deep.equal(['baseline', 'better', 'inconclusive']);
      expect(table(options).notes.at(-1)).to.match(/corrected for the 2 tested rows \(Holm 1979\), is below 0\.05\.$/);
    });

    it('compares single runs by their predictions, class by class too', () => {
      writeHits(put('alone', finished({}, 0.65)), 'test', { cat: [50, 100], dog: [80, 100] });
      writeHits(put('kd', finished({ alpha: 1 }, 0.725)), 'test', { cat: [70, 100], dog: [75, 100] });
      const options = { baseline: 'alone' };
      expect(shown('verdict', options)).to.deep.equal(['baseline', 'better']);
      expect(shown('difference', options)[1]).to.equal('+0.0750 [+0.0300, +0.1250]');
      expect(shown('compared_by', options)).to.deep.equal(['', 'McNemar']);
      expect(shown('class_differences', options)).to.deep.equal(['', 'cat +0.2000, dog -0.0500']);
      expect(table(options).notes.at(-1)).to.match(/bootstrap over images.*McNemar/);
      const { columns, allColumns } = table(options);
      const names = columns.map(({ name }) => name);
      expect(names).to.include.members(['test_calibration_error', 'difference', 'p_holm', 'verdict']);
      for (const name of ['p', 'compared_by', 'class_differences']) expect(names).not.to.include(name);
      expect(allColumns.map(({ name }) => name)).not.to.include('val_calibration_error');
    });

    it('shows the calibration error on the test set, and has that on the validation set', () => {
      const directory = put('run', finished({}, 0.7));
      for (const part of ['val', 'test'] as const) writeHits(directory, part, { cat: [1, 4], dog: [3, 3] });
      expect(shown('test_calibration_error')).to.deep.equal(['0.1786']);
      expect(shown('val_calibration_error')).to.deep.equal(['0.1786']);
      expect(table().columns.map(({ name }) => name)).not.to.include('val_calibration_error');
    });

    it('sorts by columns, what has no value last', () => {
      put('a', finished({ alpha: 0.5, teacher: 'x10' }, 0.7));
      put('b', finished({ alpha: 0.5, teacher: 'x9' }, 0.9));
      put('c', finished({ teacher: 'x1' }, 0.8));
      put('d', { params: { alpha: 0.1 }, val: { accuracy: 0.1 } });
      const order = (...sort: string[]) => shown('directory', { sort }).join('');
      expect(order()).to.equal('abcd');
      expect(order('-test_accuracy')).to.equal('bcad');
      expect(order('test_accuracy')).to.equal('acbd');
      expect(order('alpha', '-val_accuracy')).to.equal('dbac');
      expect(order('-alpha')).to.equal('abdc');
      expect(order('teacher')).to.equal('cbad');
      expect(order('-teacher')).to.equal('abcd');
    });

    it('sorts repeats by their mean', () => {
      for (const [i, accuracy] of [0.5, 0.9].entries()) put(`a_${i}`, finished({ seed: i }, accuracy));
      put('b', finished({ alpha: 1 }, 0.69));
      put('c', finished({ alpha: 2 }, 0.71));
      expect(shown('directory', { sort: ['test_accuracy'] })).to.deep.equal(['b', 'a_*', 'c']);
    });

    it('names the method in whatever form params.json has it', () => {
      put('a', finished({ model_version: 'cnn' }, 0.5));
      put('b', finished({ model_version: 'cnn_distill' }, 0.5));
      put('c', finished({ model_version: 'cnn', method: { name: 'at', weight: 5 } }, 0.5));
      put('d', finished({ model_version: 'cnn', method: ['kd', { name: 'crd', tau: 0.1 }] }, 0.5));
      expect(shown('method')).to.deep.equal(['nokd', 'kd', 'at', 'kd + crd']);
      expect(table().columns.map(({ name }) => name))
        .to.include('method.weight')
        .and.not.include('method.name');
    });

    it('puts rows into sections by a column', () => {
      put('a', finished({ model_version: 'cnn_distill' }, 0.5));
      put('b', finished({ model_version: 'cnn' }, 0.6));
      put('c', finished({ model_version: 'resnet8_distill', method: 'dkd' }, 0.7));
      put('d', finished({ model_version: 'resnet8_distill' }, 0.8));
      put('e', { val: { accuracy: 0.5 } });
      const { sections } = table({ groupBy: 'method', sort: ['-test_accuracy'] });
      expect(sections.map(({ title, rows }) => [title, rows.map(({ directory }) => directory).join('')])).to.deep.equal(
        [
          ['method: dkd', 'c'],
          ['method: kd', 'da'],
          ['method: nokd', 'b'],
          ['method: not given', 'e'],
        ],
      );
    });

    it('shows the columns asked for, in their order, and no others', () => {
      put('a', finished({ alpha: 0.5 }, 0.7));
      const { columns, chosen } = table({ columns: ['status', 'alpha', 'run.threads', 'directory'] });
      expect(columns.map(({ name }) => name)).to.deep.equal(['status', 'alpha', 'run.threads', 'directory']);
      expect(chosen).to.deep.equal(['status', 'alpha', 'run.threads', 'directory']);
      expect(table().chosen).to.deep.equal([]);
    });

    it('adds columns to the usual ones, or to those that are named', () => {
      put('a', finished({ alpha: 0.5 }, 0.7));
      const shown = (columns?: string[]) => table({ columns }).columns.map(({ name }) => name);
      expect(shown(['+alpha', '+run.threads'])).to.deep.equal([...shown(), 'alpha', 'run.threads']);
      expect(shown(['status', '+alpha'])).to.deep.equal(['status', 'alpha']);
      expect(table({ columns: ['+alpha'] }).chosen).to.deep.equal(['alpha']);
    });

    it('refuses columns that there are not, and names the nearest', () => {
      put('a', finished({ alpha: 0.5 }, 0.7));
      const cases: [TableOptions, RegExp][] = [
        [
          { columns: ['alpha', 'val_acuracy'] },
          /^--columns: there is no column "val_acuracy"; did you mean "val_accuracy"\?$/,
        ],
        [{ sort: ['-alhpa'] }, /^--sort: there is no column "alhpa"; did you mean "alpha"\?$/],
        [
          { groupBy: 'xyzzy' },
          /^--group_by: there is no column "xyzzy"; there are directory, .*alpha.*, run\.threads$/,
        ],
        [{ columns: ['difference'] }, /there is no column "difference"/],
        [{ columns: ['temperature'] }, /there is no column "temperature"/],
        [{ columns: ['constructor'] }, /there is no column "constructor"/],
      ];
      for (const [options, message] of cases) {
        expect(() => makeTable(rowsOf(collectRuns(parent)), options)).to.throw(UserError, message);
      }
    });

    it('has all 124 published runs, with their loss of 0', () => {
      writePublishedRuns(parent);
      const [head, ...rows] = cells(table({ sort: ['-val_accuracy'] }));
      expect(head).to.deep.equal([
        ...['directory', 'model_version', 'alpha', 'temperature', 'learning_rate', 'num_epochs', 'dropout_rate'],
        ...['subset_percent', 'augmentation', 'teacher', 'val_accuracy', 'val_loss', 'status'],
      ]);
      expect(rows).to.have.lengthOf(124);
      expect(rows[0]!.slice(0, 2)).to.deep.equal(['resnet18_distill/resnext_teacher', 'resnet18_distill']);
      expect(rows[123]!.slice(-3)).to.deep.equal(['0.1673†', '0.0000', 'finished']);
      expect(rows.filter((row) => row.at(-2) === '0.0000')).to.have.lengthOf(120);
    });

    it('takes 300 runs', () => {
      for (let i = 0; i < 300; i++) {
        put(`alpha_${i % 10}/run_${i}`, finished({ alpha: i % 10, temperature: i % 30, seed: i % 5 }, 0.5 + i / 1000));
      }
      const result = table({ sort: ['-test_accuracy'] });
      expect(result.sections[0]!.rows).to.have.lengthOf(300);
      expect(toMarkdown(result).split('\n')).to.have.lengthOf(303);
      expect(toTerminal(result, { width: 120 }).split('\n')).to.have.lengthOf.at.least(305);
    });
  });

  describe('toMarkdown', () => {
    it('aligns a table of pipes', () => {
      put('a', finished({ alpha: 0.5 }, 0.7));
      put('long/name', finished({ alpha: 10 }, 0.8));
      expect(toMarkdown(table({ columns: ['directory', 'alpha', 'status'] }))).to.equal(
        [
          '| directory | alpha | status   |',
          '| :-------- | ----: | :------- |',
          '| a         |   0.5 | finished |',
          '| long/name |    10 | finished |',
          '',
        ].join('\n'),
      );
    });

    it('puts sections under headings and notes below', () => {
      put('a', { params: { method: 'x_|y' }, val: { accuracy: 0.5 } });
      const lines = toMarkdown(table({ groupBy: 'method', columns: ['val_accuracy'] })).split('\n\n');
      expect(lines[0]).to.equal('## method: x_\\|y');
      expect(lines[2]).to.match(/^† .*\.\n$/);
    });

    it('shows what could be markup as it is', () => {
      const name = 'a|b `c` *d* _e_ <f> [g](h) \\ ~~i~~ &amp; x_y_z k*';
      put('run', { params: { name, other: 'two\nlines\t\u001b[31m' }, val: { accuracy: 1 } });
      expect(
        toMarkdown(table({ columns: ['name'] }))
          .split('\n')[2]!
          .trim(),
      ).to.equal('| a\\|b \\`c\\` \\*d* \\_e_ \\<f> [g\\](h) \\\\ \\~~i\\~~ \\&amp; x_y_z k* |');
      expect(toMarkdown(table({ columns: ['other'] })).split('\n')[2]).to.equal('| two lines [31m |');
    });
  });

  describe('toCsv', () => {
    it('has a line for each run with all values, exactly', () => {
      for (const seed of [1, 2]) put(`kd/seed_${seed}`, finished({ alpha: 1 / 3, seed }, 0.7 + seed / 7));
      put('plain', { params: { alpha: 1 }, val: { accuracy: 0.5, loss: null } });
      const [head, ...lines] = parseCsv(toCsv(table({ sort: ['-val_accuracy'] })));
      expect(lines).to.have.lengthOf(3);
      const runs = lines.map((line) => Object.fromEntries(head!.map((name, i) => [name, line[i]])));
      expect(runs.map(({ directory }) => directory)).to.deep.equal(['kd/seed_1', 'kd/seed_2', 'plain']);
      expect(runs[1]).to.include({
        alpha: '0.3333333333333333',
        seed: '2',
        test_accuracy: String(0.7 + 2 / 7),
        row: 'kd/seed_*',
        n: '2',
        flops: '81102080',
        time: '211.3',
        chosen_on_test: 'false',
        'run.command': '["train.ts"]',
      });
      expect(runs[2]).to.include({ alpha: '1', seed: '', test_accuracy: '', val_loss: 'NaN', chosen_on_test: 'true' });
      expect(head).not.to.include('run.commit');
    });

    it('has the columns asked for, and the difference to a baseline', () => {
      put('a', finished({ alpha: 1 }, 0.5));
      put('b', finished({ alpha: 2 }, 0.75));
      const columns = ['directory', 'difference', 'difference_low', 'verdict'];
      expect(() => table({ columns, baseline: 'a' })).to.not.throw();
      expect(parseCsv(toCsv(table({ columns, baseline: 'a' })))).to.deep.equal([
        columns,
        ['a', '', '', 'baseline'],
        ['b', '0.25', 'NaN', 'single run'],
      ]);
    });

    it('quotes what has to be quoted and disarms formulas', () => {
      const params = { a: 'x,y', b: 'say "hi"', c: 'two\r\nlines', d: '=1+1', e: '-2', f: -2, g: ' @x', h: '' };
      put('+run', { params: { ...params, i: 'plain=text' }, val: { accuracy: 0.5 } });
      const csv = toCsv(table({ columns: ['directory', ...'abcdefghi'] }));
      expect(csv).to.equal(
        'directory,a,b,c,d,e,f,g,h,i\r\n' + `'+run,"x,y","say ""hi""","two\r\nlines",'=1+1,'-2,-2,' @x,,plain=text\r\n`,
      );
    });
  });

  describe('toJson', () => {
    interface Content {
      runs: Record<string, unknown>[];
      rows: Record<string, unknown>[];
      baseline?: string;
      compared?: string;
    }
    const json = (options: Parameters<typeof table>[0]): Content => {
      const rows = rowsOf(collectRuns(parent));
      const baseline = options?.baseline === undefined ? undefined : baselineIn(rows, options.baseline);
      return JSON.parse(toJson(makeTable(rows, { ...options, baseline }), baseline)) as Content;
    };

    it('has runs and rows', () => {
      for (const seed of [1, 2]) {
        put(`kd/seed_${seed}`, finished({ alpha: 0.5, seed }, 0.7 + seed / 100));
        put(`one/seed_${seed}`, finished({ seed }, 0.6));
      }
      writeFileSync(join(put('broken', { val: { accuracy: 0.5, loss: null } }), 'params.json'), '');
      const { runs, rows, ...others } = json({ baseline: 'one' });
      expect(others).to.deep.equal({ baseline: 'one/seed_*', compared: 'test_accuracy' });
      expect(runs.map(({ directory }) => directory)).to.deep.equal([
        ...['broken', 'kd/seed_1', 'kd/seed_2', 'one/seed_1', 'one/seed_2'],
      ]);
      expect(runs[0]).to.deep.include({ status: 'broken', params: {}, val: { accuracy: 0.5, loss: null } });
      expect(runs[1]).to.deep.include({
        seed: 1,
        params: { model_version: 'cnn', learning_rate: 0.001, num_epochs: 3, alpha: 0.5, seed: 1 },
        test: { accuracy: 0.71, loss: 1.5 - 0.71, epoch: 3, selected_on: 'validation' },
        chosen_on_test: false,
        errors: [],
      });
      expect(rows[1]).to.deep.include({ directory: 'kd/seed_*', runs: ['kd/seed_1', 'kd/seed_2'] });
      const { test_accuracy: statistic } = rows[1]!.statistics as Record<string, Record<string, number>>;
      expect(statistic!.mean).to.be.closeTo(0.715, 1e-12);
      expect(statistic!.standardDeviation).to.be.closeTo(0.01 / Math.SQRT2, 1e-12);
      expect(statistic!.n).to.equal(2);
      expect((rows[1]!.comparison as Record<string, unknown>).n).to.equal(2);
      expect(rows.map(({ comparison }) => (comparison as { verdict?: string } | null)?.verdict)).to.deep.equal([
        ...[undefined, 'better', undefined],
      ]);
    });

    it('has the comparison of each class', () => {
      writeHits(put('alone', finished({}, 0.65)), 'test', { cat: [50, 100], dog: [80, 100] });
      writeHits(put('kd', finished({ alpha: 1 }, 0.75)), 'test', { cat: [75, 100], dog: [75, 100] });
      const { rows } = json({ baseline: 'alone' });
      const comparison = rows[1]!.comparison as Record<string, unknown>;
      expect(comparison).to.have.all.keys(
        ...['n', 'mean', 'standardError', 'interval', 'p', 'pHolm', 'test', 'verdict', 'classes'],
      );
      expect(comparison).to.deep.include({ standardError: null, test: 'McNemar', verdict: 'better' });
      expect((comparison.classes as Record<string, number>).cat).to.equal(0.25);
      expect(rows[0]!.comparison).to.equal(null);
    });

    it('is the same text whenever it is written', () => {
      put('a', finished({}, 0.5));
      expect(toJson(table())).to.equal(toJson(table()));
      expect(toJson(table())).to.match(/\}\n$/);
    });
  });

  describe('toTerminal', () => {
    const widest = (text: string) => Math.max(...text.split('\n').map((line) => stripVTControlCharacters(line).length));
    const tableLines = (text: string) =>
      text
        .split('\n')
        .filter((line) => /^[┌├└│]/.test(line))
        .join('\n');

    beforeEach(() => {
      for (const seed of [1, 2]) {
        put(`cnn_distill_alpha_temp/alpha_0.5_Temp_2.0/seed_${seed}`, finished({ alpha: 0.5, seed }, 0.7 + seed / 100));
        put(`alone/seed_${seed}`, finished({ seed }, 0.6));
      }
    });

    it('is as wide as it has to be where nothing limits it', () => {
      expect(toTerminal(table({ columns: ['alpha', 'test_accuracy'] }))).to.equal(
        [
          '┌───────┬─────────────────────┐',
          '│ alpha │       test_accuracy │',
          '├───────┼─────────────────────┤',
          '│       │ 0.6000 ± 0.0000 (2) │',
          '│   0.5 │ 0.7150 ± 0.0071 (2) │',
          '└───────┴─────────────────────┘',
          'a ± b (n): mean and standard deviation over n runs that differ only in the seed.',
          '',
        ].join('\n'),
      );
    });

    it('fits into the terminal, and tells which columns are left out', () => {
      for (const width of [200, 140, 100, 80, 60]) {
        expect(widest(tableLines(toTerminal(table({ baseline: 'alone' }), { width }))), `${width}`).to.be.at.most(
          width,
        );
      }
      const narrow = toTerminal(table(), { width: 80 });
      expect(narrow).to.match(/\nColumns that do not fit: flops, parameters, time, val_loss, best_epoch.*\.\n$/);
      for (const content of ['directory', '0.7150 ±']) expect(tableLines(narrow)).to.include(content);
      expect(toTerminal(table(), { width: 500 })).not.to.include('Left out');
    });

    it('leaves out what is the same in all rows before parameters', () => {
      rmSync(parent, { recursive: true });
      for (const alpha of [0.1, 0.5]) {
        for (const temperature of [2, 4])
          put(`alpha_${alpha}_temperature_${temperature}`, finished({ alpha, temperature }, alpha));
      }
      const head = (width: number) => toTerminal(table(), { width }).split('\n')[1]!.replaceAll(/[│ ]+/g, ' ').trim();
      expect(head(80)).to.equal('directory alpha temperature val_accuracy test_accuracy');
      expect(head(62)).to.equal('directory alpha temperature test_accuracy');
      expect(head(200)).to.match(/flops time status$/);
    });

    it('wraps, but never leaves out, what was asked for by name', () => {
      const columns = ['directory', 'flops', 'time', 'parameters', 'status'];
      const text = toTerminal(table({ columns }), { width: 50 });
      expect(widest(tableLines(text))).to.be.at.most(50);
      for (const content of ['81.1 M', '03:31', '269,722']) expect(text).to.include(content);
      expect(text).not.to.include('Left out');
    });

    it('colors verdicts and statuses, if at all', () => {
      put('going', { ...finished({ alpha: 1, num_epochs: 9 }, 0.5), test: undefined });
      const options = { columns: ['directory', 'status', 'verdict'], baseline: 'alone' };
      expect(toTerminal(table(options))).not.to.include('\u001b');
      const colored = toTerminal(table(options), { color: true });
      expect(colored).to.include('\u001b[33minterrupted 3/9\u001b[39m');
      expect(stripVTControlCharacters(colored)).to.equal(toTerminal(table(options)));
    });

    it('lets no control character of a name through', () => {
      put('evil', { params: { name: 'a\u001b[2Jb\u009bc\nd\u202ee' }, val: { accuracy: 0.5 } });
      expect(toTerminal(table({ columns: ['name'] }))).to.include('a�[2Jb�c�d�e');
    });
  });
});
