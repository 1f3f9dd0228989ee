/** The importance of searched parameters as bars. */
import { importances } from '../../importance';
import type { PageColumn } from '../data';
import { domainOf, goalOf, numberAt, ranked, valueAt } from '../model';
import { titled, type ChartStyle, type Spec } from './theme';

/** Fewer runs have no best tenth. */
export const LEAST_ROWS = 10;

/** undefined if there are too few rows with the metric, or no parameter differs. */
export function importanceChart(
  rows: readonly number[],
  params: readonly PageColumn[],
  metric: PageColumn,
  style: ChartStyle,
): Spec | undefined {
  const known = ranked(metric, rows);
  if (known.length < LEAST_ROWS || params.length === 0) return undefined;
  const searched = params.map((param) => {
    const values = known.map((row) => valueAt(param, row));
    return { domain: domainOf(values.filter((value) => value !== undefined)), values };
  });
  const scores = known.map((row) => numberAt(metric, row));
  const shares = importances(searched, scores, goalOf(metric.name));
  const values = params.map(({ name }, i) => ({ name, share: shares[i]!, text: `${(100 * shares[i]!).toFixed(1)} %` }));
  values.sort((a, b) => b.share - a.share);
  // The longest bar leaves room for its number.
  const room = 1 + 60 / Math.max(100, style.width - 200);
  return {
    ...titled(style, `Importance for the best tenth by ${metric.name}`),
    width: style.width,
    height: 40 + 30 * values.length,
    data: { values },
    encoding: {
      y: { field: 'name', type: 'nominal', sort: null, title: null, axis: { labelLimit: 180, labelFontSize: 12 } },
      x: { field: 'share', type: 'quantitative', axis: null, scale: { domain: [0, Math.max(...shares, 0.01) * room] } },
      tooltip: [
        { field: 'name', type: 'nominal', title: 'parameter' },
        { field: 'text', type: 'nominal', title: 'importance' },
      ],
    },
    layer: [
      { mark: { type: 'bar', color: style.theme.strong, cornerRadiusEnd: 3, height: { band: 0.62 } } },
      {
        mark: { type: 'text', align: 'left', dx: 6, color: style.theme.muted },
        encoding: { text: { field: 'text', type: 'nominal' } },
      },
    ],
  };
}
