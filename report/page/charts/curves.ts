/** Learning curves over epochs: the mean over repeats as a line, mean ∓ sample standard deviation as a band. */
import type { PageData } from '../data';
import { lineStyle, titled, type ChartStyle, type Spec } from './theme';

export const curveKinds = ['loss', 'accuracy', 'logit_difference'] as const;
type CurveKind = (typeof curveKinds)[number];

/** On the images that are held out, or on those that are trained on. */
export type Part = 'val' | 'train';

export interface CurveChoice {
  readonly kind: CurveKind;
  readonly part: Part;
  /** Only the last three fifths of each curve. */
  readonly zoomed: boolean;
}

const ZOOM = 0.4;

const titles: Readonly<Record<CurveKind, string>> = {
  loss: 'loss',
  accuracy: 'accuracy',
  logit_difference: 'mean |teacher’s − student’s logit|',
};

export function curveTitle({ kind, part, zoomed }: Omit<CurveChoice, 'part'> & { readonly part?: Part }): string {
  const of = part === undefined ? '' : part === 'val' ? ', validation' : ', training';
  const title = `${titles[kind]}${of}${zoomed ? ', last epochs' : ''}`;
  return title[0]!.toUpperCase() + title.slice(1);
}

/** A line for each of `rows` that has the curve; undefined if none has it. */
export function curvesChart(
  data: PageData,
  rows: readonly number[],
  choice: CurveChoice,
  style: ChartStyle,
): Spec | undefined {
  const series = rows.map((row, index) => ({ row, index, id: data.rows[row]!.id, curve: curveOf(data, row, choice) }));
  const drawn = series.filter(({ curve }) => curve.length > 0);
  if (drawn.length === 0) return undefined;
  const values = drawn.flatMap(({ id, curve }) => {
    const from = choice.zoomed ? Math.floor(curve.at(-1)!.epoch * ZOOM) : 0;
    return curve.filter(({ epoch }) => epoch > from).map((point) => ({ id, ...point }));
  });
  const styles = drawn.map(({ index }) => lineStyle(index, style.theme));
  const domain = drawn.map(({ id }) => id);
  const x = { field: 'epoch', type: 'quantitative', title: 'epoch', scale: { nice: false, zero: false } } as const;
  const axis = { format: '~r', tickMinStep: 1 };
  const legend = style.alone
    ? ({ title: null, orient: 'bottom', direction: 'vertical', symbolType: 'stroke' } as const)
    : null;
  const byRow = { field: 'id', type: 'nominal', legend } as const;
  const color = { ...byRow, scale: { domain, range: styles.map((style) => style.color) } };
  const dash = { ...byRow, scale: { domain, range: styles.map((style) => style.dash) } };
  const y = { type: 'quantitative', title: null, scale: { zero: false } } as const;
  return {
    ...titled(style, curveTitle(choice)),
    width: style.width,
    height: style.alone ? 300 + 14 * drawn.length : 240,
    data: { values },
    encoding: { x: { ...x, axis } },
    layer: [
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'area', opacity: 0.14 },
        encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' }, color: color },
      },
      {
        mark: { type: 'line', strokeWidth: 1.75, strokeJoin: 'round' },
        encoding: {
          y: { ...y, field: 'mean' },
          color: color,
          strokeDash: dash,
        },
      },
      {
        params: [{ name: 'hover', select: { type: 'point', on: 'pointermove', nearest: true, clear: 'pointerout' } }],
        mark: { type: 'point', filled: true, size: 45 },
        encoding: {
          y: { ...y, field: 'mean' },
          color: color,
          opacity: { condition: { param: 'hover', empty: false, value: 1 }, value: 0 },
          tooltip: [
            { field: 'id', type: 'nominal', title: 'row' },
            { field: 'epoch', type: 'quantitative', title: 'epoch' },
            { field: 'text', type: 'nominal', title: titles[choice.kind] },
          ],
        },
      },
    ],
  };
}

function curveOf({ rows }: PageData, row: number, { kind, part }: CurveChoice) {
  const { curves } = rows[row]!;
  const found = curves?.values[`${part}_${kind}`];
  return (curves?.epochs ?? []).flatMap((epoch, i) => {
    const mean = found?.mean[i] ?? null;
    if (mean === null) return [];
    const deviation = found?.deviation?.[i] ?? null;
    if (deviation === null) return [{ epoch, mean, text: String(mean) }];
    const text = `${mean} ± ${Number(deviation.toPrecision(2))}`;
    return [{ epoch, mean, low: mean - deviation, high: mean + deviation, text }];
  });
}
