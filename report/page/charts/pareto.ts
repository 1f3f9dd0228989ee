/** A metric against the cost of the network, with the Pareto front. */
import { paretoFront } from '../../pareto';
import type { PageColumn, PageData } from '../data';
import { goalOf, numberAt } from '../model';
import { fieldTitle, titled, type ChartStyle, type Spec } from './theme';

const titles: Readonly<Record<string, string>> = {
  parameters: 'parameters',
  flops: 'operations per image (FLOPs)',
  latency: 'milliseconds per image',
  time: 'training time in seconds',
};

/** undefined if no row has both. */
export function paretoChart(
  data: PageData,
  rows: readonly number[],
  cost: PageColumn,
  metric: PageColumn,
  style: ChartStyle,
): Spec | undefined {
  const points = rows
    .map((row) => ({ row, cost: numberAt(cost, row), score: numberAt(metric, row) }))
    .filter((point) => !Number.isNaN(point.cost) && !Number.isNaN(point.score));
  if (points.length === 0) return undefined;
  const goal = goalOf(metric.name);
  const order = paretoFront(points, goal);
  const values = points.map(({ row, cost: x, score }, i) => ({
    id: data.rows[row]!.id,
    cost: x,
    score,
    costText: cost.texts[row],
    scoreText: metric.texts[row],
    front: order.includes(i) ? 'yes' : 'no',
  }));
  const front = order.map((i) => values[i]!);
  const costs = points.map((point) => point.cost);
  const isLog = Math.min(...costs) > 0 && Math.max(...costs) / Math.min(...costs) > 20;
  const { strong, weak, muted } = style.theme;
  const title = titles[cost.name] ?? cost.name;
  const labels = apart(front, points, isLog);
  return {
    ...titled(style, `${metric.name} against ${title}`),
    width: style.width,
    height: 360,
    encoding: {
      x: {
        field: 'cost',
        type: 'quantitative',
        title,
        axis: { format: '~s', tickCount: 6 },
        scale: isLog ? { type: 'log', nice: false, padding: 12 } : { zero: false, nice: false, padding: 12 },
      },
      y: {
        field: 'score',
        type: 'quantitative',
        title: fieldTitle(metric.name),
        axis: { title: metric.name },
        scale: { zero: false, padding: 12 },
      },
    },
    layer: [
      {
        data: { values: front },
        mark: { type: 'line', interpolate: 'step-after', color: strong, strokeWidth: 1.5, opacity: 0.6, tooltip: null },
      },
      {
        data: { values },
        mark: { type: 'point', filled: true, opacity: 0.9 },
        encoding: {
          size: { condition: { test: "datum.front === 'yes'", value: 90 }, value: 40 },
          color: { condition: { test: "datum.front === 'yes'", value: strong }, value: weak },
          tooltip: [
            { field: 'id', type: 'nominal', title: 'row' },
            { field: 'costText', type: 'nominal', title: cost.name },
            { field: 'scoreText', type: 'nominal', title: fieldTitle(metric.name) },
            { field: 'front', type: 'nominal', title: 'on the front' },
          ],
        },
      },
      {
        data: { values: labels.slice(0, 12) },
        mark: {
          type: 'text',
          align: 'left',
          dx: 8,
          dy: goal === 'maximize' ? -8 : 12,
          fontSize: 11,
          color: muted,
          limit: 220,
          tooltip: null,
        },
        encoding: { text: { field: 'id', type: 'nominal' } },
      },
    ],
  };
}

/** The labels that fit without overlap: of two close points, that of the better one. */
function apart<T extends Point>(front: readonly T[], all: readonly Point[], isLog: boolean): T[] {
  const x = ({ cost }: Point) => (isLog ? Math.log(cost) : cost);
  const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values) || 1;
  const [width, height] = [spread(all.map(x)), spread(all.map(({ score }) => score))];
  const isClose = (a: Point, b: Point) =>
    Math.abs(x(a) - x(b)) / width < 0.3 && Math.abs(a.score - b.score) / height < 0.06;
  return front.filter((one, i) => !front.slice(i + 1).some((better) => isClose(one, better)));
}

interface Point {
  readonly cost: number;
  readonly score: number;
}
