/** The charts as SVG files, for papers: light, each with its title and legend. Vega draws them without a browser. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from 'vega-lite';
import { makeDirectory, writeFileAtomic, writing } from '../../utils/files';
import { curveKinds, curvesChart } from './charts/curves';
import { heatmapChart } from './charts/heatmap';
import { importanceChart } from './charts/importance';
import { parallelChart } from './charts/parallel';
import { paretoChart } from './charts/pareto';
import { reliabilityChart } from './charts/reliability';
import { softTargetsChart } from './charts/soft_targets';
import { configOf, light, type ChartStyle, type Spec } from './charts/theme';
import { costColumns, type PageData } from './data';
import { BEST_LINES, comparedRuns, finishedRows, metricsOf, ranked, searchedParams } from './model';

const style: ChartStyle = { theme: light, width: 640, alone: true };

/** Charts by file name; undefined for those without data, whose old files are removed. */
function figuresOf(data: PageData): ReadonlyMap<string, Spec | undefined> {
  const rows = data.rows.map((_, row) => row);
  const [metric] = metricsOf(data);
  const params = searchedParams(data);
  const finished = finishedRows(data, rows);
  const withCurves = (metric ? ranked(metric, rows) : rows).filter((row) => data.rows[row]!.curves);
  const lines = withCurves.slice(0, BEST_LINES);
  const curves = curveKinds.flatMap((kind) =>
    [false, true].map((zoomed) => {
      const name = `${kind}${zoomed ? '_last_epochs' : ''}`;
      return [name, curvesChart(data, lines, { kind, part: 'val', zoomed }, style)] as const;
    }),
  );
  const [x, y] = params;
  // A cost that no run has any longer stands here without a chart, so that its old figure goes.
  const costs = costColumns.map((name) => {
    const cost = data.columns.find((column) => column.kind === 'cost' && column.name === name);
    return [`pareto_${name}`, metric && cost && paretoChart(data, finished, cost, metric, style)] as const;
  });
  const compared = data.predictions ? comparedRuns(data.predictions) : [];
  const reliability = [false, true].map((isTaught) => {
    const run = compared.find((one) => one?.isTaught === isTaught);
    const name = `reliability_with${isTaught ? '' : 'out'}_teacher`;
    return [name, run && reliabilityChart(run, style)] as const;
  });
  const teacher = compared.find((run) => run?.teacher)?.teacher;
  const softTargets = (['confidence', 'entropy'] as const).map(
    (kind) => [`soft_targets_${kind}`, teacher && softTargetsChart(teacher, kind, style)] as const,
  );
  return new Map<string, Spec | undefined>([
    ...curves,
    ...reliability,
    ...softTargets,
    ['heatmap', metric && x && y && heatmapChart(finished, { x, y, metric }, style)],
    ['parallel_coordinates', metric && parallelChart(data, finished, params, metric, style)],
    ['importance', metric && importanceChart(finished, params, metric, style)],
    ...costs,
  ]);
}

/**
 * Writes the figures into a folder and removes outdated ones; returns their number. Throws a UserError that names a
 * file that cannot be written.
 */
export async function writeFigures(directory: string, data: PageData): Promise<number> {
  let count = 0;
  for (const [name, spec] of figuresOf(data)) {
    const path = join(directory, `${name}.svg`);
    if (spec === undefined) {
      writing(path, () => rmSync(path, { force: true }));
      continue;
    }
    makeDirectory(directory);
    writeFileAtomic(path, await toSvg(spec, configOf(style)));
    count++;
  }
  return count;
}

async function toSvg(spec: Spec, config: Config): Promise<string> {
  const [{ parse, View }, { expressionInterpreter: expr }, { compile }] = await Promise.all([
    import('vega'),
    import('vega-interpreter'),
    import('vega-lite'),
  ]);
  // Interpreted (`ast`), no expression becomes a function, whatever names from files may get into it.
  const view = new View(parse(compile(spec, { config }).spec, undefined, { ast: true }), { renderer: 'none', expr });
  try {
    return `<?xml version="1.0" encoding="UTF-8"?>\n${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}
