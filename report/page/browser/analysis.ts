/** The sections about parameters and costs, each with the columns that the reader chooses. */
import { heatmapChart } from '../charts/heatmap';
import { importanceChart, LEAST_ROWS } from '../charts/importance';
import { axesWithin, MOST_ROWS, parallelChart } from '../charts/parallel';
import { paretoChart } from '../charts/pareto';
import type { PageColumn } from '../data';
import { numberAt } from '../model';
import { choice, h, section } from './dom';
import { Figure, type FigureOptions } from './figure';
import type { State } from './state';

/** The sections that there is something to show in, for rows that `rowsOf` gives when they are drawn. */
export function analysisSections(state: State, rowsOf: () => readonly number[]): HTMLElement[] {
  const { data, params } = state;
  const figure = (name: string, title: string, empty: string, chart: (metric: PageColumn) => FigureOptions['chart']) =>
    new Figure({ name, title, empty, chart: (style) => state.metric && chart(state.metric)(style) });
  const select = (label: string, purpose: string, columns: readonly PageColumn[], fallback: number, shown: Figure) =>
    choice(
      label,
      columns.map(({ name }) => name),
      state.chosen(purpose, columns, fallback)!.name,
      (name) => {
        state.choose(purpose, name);
        shown.redraw();
      },
    );
  const sections: HTMLElement[] = [];

  if (state.metric && params.length > 1) {
    const map = figure(
      'heatmap',
      'Heatmap of two parameters',
      'No row has both parameters and the metric.',
      (metric) => (style) => {
        const [x, y] = [state.chosen('x', params, 0)!, state.chosen('y', params, 1)!];
        return heatmapChart(rowsOf(), { x, y, metric }, style);
      },
    );
    const tools = h(
      'div',
      { class: 'tools' },
      select('Across', 'x', params, 0, map),
      select('Up', 'y', params, 1, map),
    );
    const remark =
      'Each cell is the mean over all finished rows with its two values, averaged over all other parameters.';
    sections.push(section('heatmap', 'Heatmap', h('p', { class: 'remark' }, remark), tools, map.element));
  }

  if (state.metric && params.length > 0) {
    const lines = figure(
      'parallel_coordinates',
      'Parallel coordinates',
      'Needs two rows with the metric.',
      (metric) => (style) => {
        return parallelChart(data, rowsOf(), params, metric, style);
      },
    );
    const axes = axesWithin(Math.min(document.documentElement.clientWidth - 40, 1152));
    const limits = [
      ...(params.length > axes ? [`Shows the first ${axes} of ${params.length} parameters that differ.`] : []),
      ...(data.rows.length > MOST_ROWS ? [`Shows the best ${MOST_ROWS} rows.`] : []),
    ];
    const remark = `Each line is a finished row; a stronger color means a better metric. ${limits.join(' ')}`;
    sections.push(section('parallel', 'Parallel coordinates', h('p', { class: 'remark' }, remark), lines.element));

    const empty = `Needs ${LEAST_ROWS} rows with the metric.`;
    const bars = figure('importance', 'Importance of the parameters', empty, (metric) => (style) => {
      return importanceChart(rowsOf(), params, metric, style);
    });
    const method =
      'Which parameters decide whether a row is among the best tenth (PED-ANOVA, Watanabe et al. 2023). ' +
      'With fewer than 50 rows it is only a hint.';
    sections.push(section('importance', 'Importance', h('p', { class: 'remark' }, method), bars.element));
  }

  const costs = data.columns.filter(({ kind }) => kind === 'cost');
  const differing = costs.filter((cost) => new Set(data.rows.map((_, row) => numberAt(cost, row))).size > 1);
  if (state.metric && differing.length > 0) {
    const front = figure('pareto', 'Metric against cost', 'No row has both.', (metric) => (style) => {
      return paretoChart(data, rowsOf(), state.chosen('cost', differing)!, metric, style);
    });
    const tools = h('div', { class: 'tools' }, select('Cost', 'cost', differing, 0, front));
    const remark = 'The line is the Pareto front: the finished rows that no other row beats in both metric and cost.';
    sections.push(section('pareto', 'Cost', h('p', { class: 'remark' }, remark), tools, front.element));
  }
  return sections;
}
