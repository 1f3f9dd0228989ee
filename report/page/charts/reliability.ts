/**
 * Reliability diagram (Guo et al. 2017): accuracy by confidence, and the gap to what it would be if each confidence were
 * the probability of being right.
 */
import type { PredictedRun } from '../predictions';
import { titled, type ChartStyle, type Spec } from './theme';

/** Pixels that a number of images above a bar needs. */
const ROOM = 27;

export function reliabilityChart({ directory, bins, calibrationError }: PredictedRun, style: ChartStyle): Spec {
  const values = bins.flatMap(({ images, correct, confidence }, i) => {
    if (images === 0) return [];
    const [low, high] = [i / bins.length, (i + 1) / bins.length];
    const [accuracy, mean] = [correct / images, confidence / images];
    return [
      {
        ...{ low, high, middle: (low + high) / 2, accuracy, mean, images },
        range: `${low.toFixed(2)} to ${high.toFixed(2)}`,
        accuracyText: `${accuracy.toFixed(3)} (${correct} of ${images})`,
        meanText: mean.toFixed(3),
        imagesText: images.toLocaleString('en-US'),
      },
    ];
  });
  const { strong, muted } = style.theme;
  const gap = style.theme.colors[1]!;
  const hasTexts = (style.width - 60) / bins.length >= ROOM;
  const shareUpTo = (most: number) =>
    ({ type: 'quantitative', scale: { domain: [0, most] as number[], nice: false } }) as const;
  const x = { ...shareUpTo(1), field: 'low', title: 'confidence' } as const;
  // The numbers of images stand above the highest bar that there can be.
  const axis = { values: [0, 0.2, 0.4, 0.6, 0.8, 1] as number[] };
  const y = { ...shareUpTo(hasTexts ? 1.08 : 1), title: 'accuracy', axis } as const;
  const tooltip = [
    { field: 'range', type: 'nominal', title: 'confidence' },
    { field: 'accuracyText', type: 'nominal', title: 'accuracy' },
    { field: 'meanText', type: 'nominal', title: 'mean confidence' },
  ] as const;
  return {
    ...titled(style, `${directory}: calibration error ${calibrationError.toFixed(4)}`),
    width: style.width,
    height: 300,
    data: { values },
    layer: [
      {
        mark: { type: 'rect', color: strong, opacity: 0.75, xOffset: 1 },
        encoding: { x, x2: { field: 'high' }, y: { ...y, field: 'accuracy' }, y2: { datum: 0 }, tooltip: [...tooltip] },
      },
      {
        mark: { type: 'rect', color: gap, opacity: 0.45, xOffset: 1 },
        encoding: {
          x,
          x2: { field: 'high' },
          y: { ...y, field: 'accuracy' },
          y2: { field: 'mean' },
          tooltip: [...tooltip],
        },
      },
      {
        data: {
          values: [
            { low: 0, accuracy: 0 },
            { low: 1, accuracy: 1 },
          ],
        },
        mark: { type: 'line', color: muted, strokeDash: [5, 4], strokeWidth: 1.5, tooltip: null },
        encoding: { x, y: { ...y, field: 'accuracy' } },
      },
      ...(hasTexts
        ? [
            {
              mark: { type: 'text', fontSize: 9.5, color: muted, baseline: 'bottom', dy: -3, tooltip: null } as const,
              encoding: {
                x: { ...x, field: 'middle' },
                y: { ...y, datum: 1 } as const,
                text: { field: 'imagesText', type: 'nominal' } as const,
              },
            },
          ]
        : []),
    ],
  };
}
