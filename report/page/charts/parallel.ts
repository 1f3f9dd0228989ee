/** Parallel coordinates (Inselberg 1985): an axis for each searched parameter, the last for the metric; a line for each row. */
import type { PageColumn, PageData } from '../data';
import { domainOf, goalOf, numberAt, ranked, scoreRange, valueAt } from '../model';
import { fieldTitle, titled, type ChartStyle, type Spec } from './theme';

/** Maximum number of lines. */
export const MOST_ROWS = 300;
/** Pixels from axis to axis. */
const AXIS_WIDTH = 85;
const MOST_TICKS = 8;

/** The best of `rows`, colored by the metric; undefined with fewer than two axes or rows. */
export function parallelChart(
  data: PageData,
  rows: readonly number[],
  params: readonly PageColumn[],
  metric: PageColumn,
  style: ChartStyle,
): Spec | undefined {
  const drawn = ranked(metric, rows).slice(0, MOST_ROWS).reverse();
  const columns = [...params.slice(0, axesWithin(style.width)), metric];
  if (drawn.length < 2 || columns.length < 2) return undefined;
  const axes = columns.map((column) => axisOf(column, drawn));
  const names = columns.map(({ name }) => name);
  const values = drawn.flatMap((row) =>
    axes.flatMap(({ name, placeOf }, axis) => {
      const value = valueAt(columns[axis]!, row);
      const texts = Object.fromEntries(columns.map((column, i) => [`text${i}`, column.texts[row]]));
      return [
        {
          name,
          id: data.rows[row]!.id,
          place: value === undefined ? null : placeOf(value),
          score: numberAt(metric, row),
          ...texts,
        },
      ];
    }),
  );
  const ticks = axes.flatMap(({ name, ticks }) => ticks.map((tick) => ({ name, ...tick })));
  const scores = drawn.map((row) => numberAt(metric, row));
  const { ramp, grid, muted, foreground, background } = style.theme;
  const scale = { domain: [...scoreRange(scores, goalOf(metric.name))], range: [...ramp], clamp: true };
  const color = { field: 'score', type: 'quantitative', scale, legend: null } as const;
  const x = { field: 'name', type: 'nominal', sort: names } as const;
  const axis = {
    orient: 'top',
    labelAngle: 0,
    labelColor: foreground,
    labelFontWeight: 500,
    domain: false,
    ticks: false,
    labelPadding: 14,
    offset: 2,
  } as const;
  const y = {
    field: 'place',
    type: 'quantitative',
    axis: null,
    scale: { domain: [0, 1] as number[], nice: false },
  } as const;
  const isHovered = { param: 'hover', empty: false } as const;
  return {
    ...titled(style, metric.name),
    width: style.width,
    height: 340,
    encoding: {
      x: {
        ...x,
        title: null,
        axis: { ...axis, labelLimit: style.width / names.length },
        scale: { type: 'point', padding: 0.3 },
      },
    },
    layer: [
      {
        data: { values: names.map((name) => ({ name })) },
        mark: { type: 'rule', color: grid, strokeWidth: 2, tooltip: null },
      },
      {
        data: { values },
        // A row without a parameter does not cross its axis.
        mark: { type: 'line', strokeJoin: 'round', tooltip: null, invalid: 'break-paths-show-path-domains' },
        encoding: {
          y,
          color,
          detail: { field: 'id', type: 'nominal' },
          opacity: { condition: { ...isHovered, value: 1 }, value: drawn.length > 60 ? 0.55 : 0.8 },
          strokeWidth: { condition: { ...isHovered, value: 3.5 }, value: 1.4 },
        },
      },
      {
        data: { values },
        params: [
          {
            name: 'hover',
            select: { type: 'point', fields: ['id'], on: 'pointermove', nearest: true, clear: 'pointerout' },
          },
        ],
        mark: { type: 'point', filled: true, size: 30 },
        encoding: {
          y,
          color,
          opacity: { condition: { ...isHovered, value: 1 }, value: 0 },
          tooltip: [
            { field: 'id', type: 'nominal', title: 'row' },
            ...names.map((name, i) => ({ field: `text${i}`, type: 'nominal', title: fieldTitle(name) }) as const),
          ],
        },
      },
      // A halo keeps the labels legible among lines.
      ...([{ stroke: background, strokeWidth: 4, opacity: 0.85 }, {}] as const).map((halo) => ({
        data: { values: ticks },
        mark: { type: 'text', align: 'right', dx: -6, fontSize: 10.5, color: muted, tooltip: null, ...halo } as const,
        encoding: { y, text: { field: 'label', type: 'nominal' } as const },
      })),
    ],
  };
}

/** Maximum number of parameters next to the metric. */
export function axesWithin(width: number): number {
  return Math.max(1, Math.floor(width / AXIS_WIDTH) - 1);
}

function axisOf(column: PageColumn, rows: readonly number[]) {
  const values = rows.map((row) => valueAt(column, row)).filter((value) => value !== undefined);
  const domain = domainOf(values);
  if (domain.kind === 'choice') {
    const last = Math.max(1, domain.choices.length - 1);
    const placeOf = (value: string | number) => domain.choices.indexOf(value) / last;
    const step = Math.ceil(domain.choices.length / MOST_TICKS);
    const ticks = domain.choices
      .filter((_, i) => i % step === 0)
      .map((choice) => ({ place: placeOf(choice as string), label: cut(String(choice)) }));
    return { name: column.name, placeOf, ticks };
  }
  const scaled = (value: number) => (domain.log ? Math.log(value) : value);
  const [low, high] = [scaled(domain.low), scaled(domain.high)];
  const placeOf = (value: string | number) => (scaled(Number(value)) - low) / (high - low);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((place) => {
    const value = low + place * (high - low);
    return { place, label: String(Number((domain.log ? Math.exp(value) : value).toPrecision(3))) };
  });
  return { name: column.name, placeOf, ticks };
}

function cut(text: string): string {
  return text.length > 14 ? `${text.slice(0, 13)}…` : text;
}
