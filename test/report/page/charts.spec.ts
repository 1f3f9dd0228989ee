/** Charts as the pictures that Vega draws of them, without a browser. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { curvesChart } from '../../../report/page/charts/curves';
import { heatmapChart } from '../../../report/page/charts/heatmap';
import { paretoChart } from '../../../report/page/charts/pareto';
import { reliabilityChart } from '../../../report/page/charts/reliability';
import { softTargetsChart } from '../../../report/page/charts/soft_targets';
import { lineStyle, light, dark, MOST_LINES } from '../../../report/page/charts/theme';
import { pageData, type PageData } from '../../../report/page/data';
import { writeFigures } from '../../../report/page/figures';
import { rowsOf } from '../../../report/table/rows';
import { makeTable } from '../../../report/table/table';
import { finished, seenSoftly, writeRun, writeSeen } from '../../helpers/runs';

const style = { theme: light, width: 640, alone: true };

describe('charts', () => {
  let parent: string;
  let data: PageData;
  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'charts-'));
    const accuracy: Readonly<Record<string, number>> = { '0.1,1': 0.6, '0.1,4': 0.7, '0.9,1': 0.65, '0.9,4': 0.8 };
    for (const [point, value] of Object.entries(accuracy)) {
      const [alpha, temperature] = point.split(',').map(Number);
      for (const seed of [1, 2, 3]) {
        const run = finished({ alpha, temperature, seed, teacher: '<b>&' }, value + seed / 1000);
        const parameters = { '0.6': 10, '0.7': 40, '0.65': 40, '0.8': 90 }[String(value)];
        writeRun(join(parent, `a_${alpha}_T_${temperature}/${seed}`), { ...run, run: { ...run.run, parameters } });
      }
    }
    data = pageData(makeTable(rowsOf(collectRuns(parent))), parent);
  });
  after(() => rmSync(parent, { recursive: true }));

  const column = (name: string) => data.columns.find((one) => one.name === name)!;
  const valuesOf = (chart: unknown) => (chart as { data: { values: Record<string, unknown>[] } }).data.values;
  const rows = [0, 1, 2, 3];

  it('draw mean and deviation of each row, whole and from two fifths of it on', () => {
    const choice = { kind: 'accuracy', part: 'val', zoomed: false } as const;
    const points = valuesOf(curvesChart(data, [0, 3], choice, style));
    expect(points).to.have.lengthOf(6);
    // 0.592 is the mean of 0.591, 0.592 and 0.593, whose sample standard deviation is 0.001.
    expect(points[2]).to.deep.include({ id: 'a_0.1_T_1/*', epoch: 3, mean: 0.592, text: '0.592 ± 0.001' });
    expect(points[2]!.low).to.be.closeTo(0.591, 1e-9);
    expect(points[2]!.high).to.be.closeTo(0.593, 1e-9);
    const zoomed = valuesOf(curvesChart(data, [0, 3], { ...choice, zoomed: true }, style));
    expect(zoomed.map(({ epoch }) => epoch)).to.deep.equal([2, 3, 2, 3]);
    const longer = data.rows.map((row, i) =>
      i === 3 ? { ...row, curves: { ...row.curves!, epochs: [8, 9, 20] } } : row,
    );
    const uneven = valuesOf(curvesChart({ ...data, rows: longer }, [0, 3], { ...choice, zoomed: true }, style));
    expect(uneven.map(({ epoch }) => epoch)).to.deep.equal([2, 3, 9, 20]);
    expect(curvesChart(data, rows, { ...choice, kind: 'logit_difference' }, style)).to.equal(undefined);
    expect(curvesChart(data, [], choice, style)).to.equal(undefined);
  });

  it('have a cell for each pair of values, with the mean of the rows that share it', () => {
    const choice = { x: column('alpha'), y: column('temperature'), metric: column('val_accuracy') };
    const cells = valuesOf(heatmapChart(rows, choice, style));
    expect(cells.map(({ x, y, text, n }) => [x, y, text, n])).to.deep.equal([
      ['0.1', '1', '0.592', 1],
      ['0.1', '4', '0.692', 1],
      ['0.9', '1', '0.642', 1],
      ['0.9', '4', '0.792', 1],
    ]);
    const folded = valuesOf(heatmapChart(rows, { ...choice, y: column('alpha') }, style));
    expect(folded.map(({ text, n }) => [text, n])).to.deep.equal([
      ['0.642 (0.592 to 0.692)', 2],
      ['0.717 (0.642 to 0.792)', 2],
    ]);
    expect(heatmapChart([], choice, style)).to.equal(undefined);
    const formats = [choice.metric, column('parameters')].map(
      (metric) =>
        /"text":{"field":"value","type":"quantitative","format":"(.*?)"/.exec(
          JSON.stringify(heatmapChart(rows, { ...choice, metric }, style)),
        )?.[1],
    );
    expect(formats, '0.720 below 0.729, and no fraction of a number of parameters').to.deep.equal(['.3f', '.0f']);
  });

  it('say in the legend which values share the color at the end of the scale', async () => {
    const folder = join(parent, 'outlier');
    const accuracies = [0.1673, 0.6, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66].entries();
    for (const [i, accuracy] of accuracies) {
      const point = { alpha: i % 4, temperature: Math.floor(i / 4) + 1 };
      writeRun(join(folder, String(i)), finished(point, accuracy + 0.01));
    }
    const labels = async () => {
      await writeFigures(join(folder, 'figures'), pageData(makeTable(rowsOf(collectRuns(folder))), folder));
      const svg = readFileSync(join(folder, 'figures', 'heatmap.svg'), 'utf8');
      const [, legend] = /role-legend-label[^>]*>(.*?)<\/g><\/g>/s.exec(svg)!;
      return [...legend!.matchAll(/>([^<>]+)<\/text>/g)].map(([, text]) => text);
    };
    expect(await labels()).to.deep.equal(['0.1673 … 0.6', '0.615', '0.63', '0.645', '0.66']);
    rmSync(join(folder, '0'), { recursive: true });
    expect((await labels()).join()).to.not.include('…');
  });

  it('have a bar for each bin of confidences with images, and one up to the mean confidence', () => {
    const folder = join(parent, 'seen');
    const seen = { labels: [0, 0, 0, 1], student: [0, 1, 0, 0], confidences: [0.625, 0.625, 1, 0.9375] };
    writeSeen(writeRun(join(folder, 'a'), finished({}, 0.5)), { ...seen, teacher: [0, 0, 0, 0] });
    const { predictions } = pageData(makeTable(rowsOf(collectRuns(folder))), folder);
    const [run] = predictions!.runs;
    const bars = valuesOf(reliabilityChart(run!, style));
    const [first, last] = [9 / 15, 14 / 15];
    expect(bars.map(({ low, accuracy, mean, imagesText }) => [low, accuracy, mean, imagesText])).to.deep.equal([
      [first, 0.5, 0.625, '2'],
      [last, 0.5, 1.9375 / 2, '2'],
    ]);
    const hits = (kind: 'confidence' | 'entropy') =>
      valuesOf(softTargetsChart(run!.teacher!, kind, style))
        .filter(({ share }) => share !== 0)
        .map(({ at, share, text }) => [at, share, text]);
    const { temperature } = seenSoftly;
    expect(hits('confidence')).to.deep.equal([
      ['1', 1, '4 of 4'],
      [String(temperature), 1, '4 of 4'],
    ]);
    expect(hits('entropy')).to.deep.equal([[String(temperature), 1, '4 of 4']]);
  });

  it('mark the rows on the Pareto front', () => {
    const chart = paretoChart(data, rows, column('parameters'), column('val_accuracy'), style);
    const [line, points] = (chart as unknown as { layer: { data: { values: { id: string; front: string }[] } }[] })
      .layer;
    expect(line!.data.values.map(({ id }) => id)).to.deep.equal(['a_0.1_T_1/*', 'a_0.1_T_4/*', 'a_0.9_T_4/*']);
    expect(points!.data.values.map(({ front }) => front)).to.deep.equal(['yes', 'yes', 'no', 'yes']);
  });

  it('tell as many lines apart as are drawn', () => {
    for (const theme of [light, dark]) {
      const styles = Array.from({ length: MOST_LINES }, (_, i) => JSON.stringify(lineStyle(i, theme)));
      expect(new Set(styles).size).to.equal(MOST_LINES);
    }
  });

  it('become SVG files, and those that are out of date go', async () => {
    const directory = join(parent, 'report');
    const names = ['accuracy', 'accuracy_last_epochs', 'heatmap', 'loss', 'loss_last_epochs', 'parallel_coordinates'];
    const costs = ['flops', 'parameters', 'time'].map((name) => `pareto_${name}`);
    expect(await writeFigures(directory, data)).to.equal(9);
    expect(readdirSync(directory).sort()).to.deep.equal([...names, ...costs].sort().map((name) => `${name}.svg`));
    const heatmap = readFileSync(join(directory, 'heatmap.svg'), 'utf8');
    expect(heatmap).to.match(/^<\?xml [^>]*>\n<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    for (const text of ['alpha', 'temperature', 'val_accuracy', '0.792']) expect(heatmap).to.include(`>${text}</text>`);
    expect(readFileSync(join(directory, 'loss.svg'), 'utf8')).to.include('>a_0.9_T_4/*</text>');
    const withoutCosts = { ...data, columns: data.columns.filter(({ kind }) => kind !== 'cost') };
    expect(await writeFigures(directory, withoutCosts)).to.equal(6);
    expect(readdirSync(directory)).to.have.lengthOf(6);
  });

  it('break the line of a row at a parameter that it does not have', async () => {
    const points = [
      { alpha: 0.1, momentum: 0.9, temperature: 1 },
      { alpha: 0.5, temperature: 4 },
      { alpha: 0.9, momentum: 0.5, temperature: 2 },
    ];
    const directory = join(parent, 'gaps');
    points.forEach((point, i) => writeRun(join(directory, String(i)), finished(point, 0.5 + i / 10)));
    await writeFigures(join(directory, 'figures'), pageData(makeTable(rowsOf(collectRuns(directory))), directory));
    const svg = readFileSync(join(directory, 'figures', 'parallel_coordinates.svg'), 'utf8');
    const lines = [...svg.matchAll(/"line mark" d="([^"]*)"/g)].map(([, path]) => path!);
    expect(lines.map((path) => path.split('M').length - 1)).to.deep.equal([1, 2, 1]);
  });

  it('show names that would break out of an expression or of markup as they are', async () => {
    const names = ['a\\": b", "c', '<script>x</script>&\'"', 'd\\', 'e\nf', '"]; g ['];
    const columns = data.columns.map((column) => {
      const place = ['alpha', 'temperature', 'val_accuracy'].indexOf(column.name);
      return place < 0 ? column : { ...column, name: names[place]! };
    });
    const directory = join(parent, 'hostile');
    expect(await writeFigures(directory, { ...data, columns })).to.equal(9);
    const heatmap = readFileSync(join(directory, 'heatmap.svg'), 'utf8');
    expect(heatmap).not.to.include('<script');
    expect(heatmap).to.include('>a\\": b", "c</text>').and.to.include('>&lt;script&gt;x&lt;/script&gt;&amp;\'"</text>');
    // The keys of what tooltips show, as JavaScript reads the expressions that Vega-Lite makes.
    for (const name of names) {
      const [x, y, metric] = ['alpha', 'temperature', 'val_accuracy'].map((column) => ({
        ...data.columns.find((one) => one.name === column)!,
        name,
      }));
      const chart = heatmapChart(rows, { x: x!, y: { ...y!, name: 'y' }, metric: { ...metric!, name: 'z' } }, style);
      const { compile } = await import('vega-lite');
      const signals = JSON.stringify(compile(chart!).spec).match(/"tooltip":\{"signal":"(?:[^"\\]|\\.)*"/g)!;
      const { signal } = (JSON.parse(`{${signals[0]}}}`) as { tooltip: { signal: string } }).tooltip;
      const shown = runInNewContext(`(${signal})`, {
        datum: {},
        isValid: () => false,
        isArray: () => false,
        format: String,
        join: String,
      }) as object;
      expect(Object.keys(shown)).to.deep.equal([name, 'y', 'z', 'rows']);
    }
  });
});
