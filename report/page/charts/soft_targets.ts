/** How soft the targets of a teacher are: histograms of their largest probability, and of their entropy. */
import type { SoftTargets } from '../../predictions';
import { titled, type ChartStyle, type Spec } from './theme';

export type SoftTargetsKind = 'confidence' | 'entropy';

export function softTargetsTitle({ temperature }: SoftTargets, kind: SoftTargetsKind): string {
  const what = kind === 'confidence' ? 'Largest probability' : 'Entropy';
  return `${what} at temperature ${temperature}`;
}

/** The largest probability at temperature 1 stands behind that at the temperature of the run. */
export function softTargetsChart(targets: SoftTargets, kind: SoftTargetsKind, style: ChartStyle): Spec {
  const { temperature, images, classes } = targets;
  const isConfidence = kind === 'confidence';
  const series = isConfidence
    ? [
        ...(temperature === 1 ? [] : [{ at: 1, counts: targets.confidences }]),
        { at: temperature, counts: targets.softConfidences },
      ]
    : [{ at: temperature, counts: targets.softEntropies }];
  const most = isConfidence ? 1 : Math.log(classes);
  const values = series.flatMap(({ at, counts }) =>
    counts.map((count, i) => {
      const [low, high] = [(most * i) / counts.length, (most * (i + 1)) / counts.length];
      return {
        ...{ at: String(at), low, high, share: count / images },
        range: `${low.toFixed(2)} to ${high.toFixed(2)}`,
        text: `${count.toLocaleString('en-US')} of ${images.toLocaleString('en-US')}`,
      };
    }),
  );
  const { strong, weak } = style.theme;
  const names = series.map(({ at }) => String(at));
  const range = names.length > 1 ? [weak, strong] : [strong];
  const legend = { title: 'temperature', orient: 'top', symbolType: 'square', symbolStrokeWidth: 0 } as const;
  const axis = isConfidence ? 'largest probability' : 'entropy in nats';
  return {
    ...titled(style, softTargetsTitle(targets, kind)),
    width: style.width,
    height: 260,
    data: { values },
    mark: { type: 'rect', opacity: 0.7, xOffset: 1 },
    encoding: {
      x: { field: 'low', type: 'quantitative', title: axis, scale: { domain: [0, most], nice: false } },
      x2: { field: 'high' },
      y: { field: 'share', type: 'quantitative', title: 'share of images', axis: { format: '.0%' } },
      y2: { datum: 0 },
      color: {
        field: 'at',
        type: 'nominal',
        scale: { domain: names, range },
        legend: names.length > 1 ? legend : null,
      },
      tooltip: [
        { field: 'at', type: 'nominal', title: 'temperature' },
        { field: 'range', type: 'nominal', title: axis },
        { field: 'text', type: 'nominal', title: 'images' },
      ],
    },
  };
}
