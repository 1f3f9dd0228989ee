/** A metric over two parameters: cells where both have few values, points where not. */
import type { PageColumn } from '../data';
import { domainOf, goalOf, inOrder, numberAt, scoreRange, valueAt } from '../model';
import { fieldTitle, titled, type ChartStyle, type Spec } from './theme';

/** With more values than this a parameter is drawn as a continuous one. */
const MOST_CELLS = 16;
/** Pixels that a number in a cell needs. */
const ROOM = 38;

export interface HeatmapChoice {
  readonly x: PageColumn;
  readonly y: PageColumn;
  readonly metric: PageColumn;
}

/** undefined if no row has both parameters and the metric. */
export function heatmapChart(
  rows: readonly number[],
  { x, y, metric }: HeatmapChoice,
  style: ChartStyle,
): Spec | undefined {
  const points = rows.flatMap((row) => {
    const [a, b, value] = [valueAt(x, row), valueAt(y, row), numberAt(metric, row)];
    return a === undefined || b === undefined || Number.isNaN(value) ? [] : [{ x: a, y: b, value }];
  });
  if (points.length === 0) return undefined;
  const domains = { x: inOrder(points.map((point) => point.x)), y: inOrder(points.map((point) => point.y)) };
  const isGrid = domains.x.length <= MOST_CELLS && domains.y.length <= MOST_CELLS;
  const values = isGrid
    ? cellsOf(points).map((cell) => ({ ...cell, x: String(cell.x), y: String(cell.y) }))
    : points.map((point) => ({ ...point, text: shown(point.value), n: 1 }));
  const goal = goalOf(metric.name);
  const scores = values.map(({ value }) => value);
  const range = scoreRange(scores, goal);
  const { ramp } = style.theme;
  const color = {
    field: 'value',
    type: 'quantitative',
    title: fieldTitle(metric.name),
    scale: { domain: [...range], range: [...ramp], clamp: true },
    legend: {
      title: metric.name,
      orient: style.width < 480 ? 'bottom' : 'right',
      gradientLength: style.width < 480 ? 200 : 160,
      format: '.4~f',
      ...sharedEnd(range, goal === 'maximize' ? Math.min(...scores) : Math.max(...scores)),
    },
  } as const;
  const tooltip = [
    { field: 'x', type: 'nominal', title: fieldTitle(x.name) },
    { field: 'y', type: 'nominal', title: fieldTitle(y.name) },
    { field: 'text', type: 'nominal', title: fieldTitle(metric.name) },
    { field: 'n', type: 'nominal', title: 'rows' },
  ] as const;
  const height = isGrid ? Math.max(160, Math.min(420, 60 + 38 * domains.y.length)) : 380;
  const size = { ...titled(style, metric.name), width: style.width, height, data: { values } };
  if (!isGrid) {
    return {
      ...size,
      mark: { type: 'point', filled: true, size: 70, opacity: 0.9, stroke: style.theme.muted, strokeWidth: 0.5 },
      encoding: { x: continuous('x', x, domains.x), y: continuous('y', y, domains.y), color, tooltip: [...tooltip] },
    };
  }
  const discrete = (column: PageColumn, sort: readonly (string | number)[]) =>
    ({
      type: 'ordinal',
      title: fieldTitle(column.name),
      sort: sort.map(String),
      scale: { paddingInner: 0.04 },
    }) as const;
  const hasTexts = (style.width - 170) / domains.x.length >= ROOM;
  const isStrong = `datum.value ${goal === 'maximize' ? '>' : '<'} ${(range[0] + range[1]) / 2}`;
  return {
    ...size,
    encoding: {
      x: { field: 'x', ...discrete(x, domains.x), axis: { title: x.name, labelAngle: 0, domain: false, ticks: false } },
      y: { field: 'y', ...discrete(y, [...domains.y].reverse()), axis: { title: y.name } },
      tooltip: [...tooltip],
    },
    layer: [
      { mark: { type: 'rect', cornerRadius: 3 }, encoding: { color } },
      ...(hasTexts
        ? [
            {
              mark: { type: 'text', fontSize: 11 } as const,
              encoding: {
                text: {
                  field: 'value',
                  type: 'quantitative',
                  format: scores.every(Number.isInteger) ? '.0f' : '.3f',
                } as const,
                color: {
                  condition: { test: isStrong, value: contrast(ramp.at(-1)!) },
                  value: contrast(ramp[0]!),
                },
              },
            },
          ]
        : []),
    ],
  };
}

/** Five labels of the legend, the first of which says what else has the color of the worst score of the scale. */
function sharedEnd(
  [worst, best]: readonly [number, number],
  farthest: number,
): { readonly values?: number[]; readonly labelExpr?: string } {
  if (farthest === worst) return {};
  const values = [0, 0.25, 0.5, 0.75, 1].map((place) => Number((worst + place * (best - worst)).toPrecision(4)));
  values[0] = worst;
  const ends = [farthest, worst].map((value) => Number(value.toPrecision(4))).sort((a, b) => a - b);
  return { values, labelExpr: `datum.value === ${worst} ? '${ends.join(' … ')}' : datum.label` };
}

/** Rows that agree in both parameters become one cell with their mean. */
function cellsOf(points: readonly { x: string | number; y: string | number; value: number }[]) {
  const cells = new Map<string, { x: string | number; y: string | number; values: number[] }>();
  for (const { x, y, value } of points) {
    const key = JSON.stringify([x, y]);
    if (!cells.has(key)) cells.set(key, { x, y, values: [] });
    cells.get(key)!.values.push(value);
  }
  return [...cells.values()].map(({ x, y, values }) => {
    const value = values.reduce((sum, one) => sum + one, 0) / values.length;
    const range = values.length > 1 ? ` (${shown(Math.min(...values))} to ${shown(Math.max(...values))})` : '';
    return { x, y, value, text: shown(value) + range, n: values.length };
  });
}

function continuous<F extends 'x' | 'y'>(field: F, column: PageColumn, values: readonly (string | number)[]) {
  const domain = domainOf(values);
  const titles = { title: fieldTitle(column.name), axis: { title: column.name } };
  if (domain.kind === 'choice') return { field, type: 'ordinal', ...titles, sort: values.map(String) } as const;
  const scale = domain.log ? ({ type: 'log' } as const) : { zero: false };
  return { field, type: 'quantitative', ...titles, scale } as const;
}

function shown(value: number): string {
  return String(Number(value.toPrecision(5)));
}

/** Black or white, whichever reads better on a color #rrggbb. */
function contrast(color: string): string {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)) as [number, number, number];
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? '#1f2328' : '#ffffff';
}
