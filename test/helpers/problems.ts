/** Functions to be maximized that stand for trainings. */
import type { Point, Space } from '../../search/space/space';

export interface Problem {
  readonly space: Space;
  readonly objective: (point: Point) => number;
}

const range = (path: string, low: number, high: number) => ({ kind: 'range', path, low, high, log: false }) as const;

/** Branin (1972), negated: three maxima of −0.397887. */
const branin: Problem = {
  space: [range('x', -5, 10), range('y', 0, 15)],
  objective: (point) => {
    const [x, y] = [point.x as number, point.y as number];
    const inner = y - (5.1 * x * x) / (4 * Math.PI ** 2) + (5 * x) / Math.PI - 6;
    return -(inner ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10);
  },
};

/** The six-dimensional function of Hartman (1973): one global maximum of 3.32237. */
const hartmann6: Problem = {
  space: Array.from({ length: 6 }, (_, d) => range(`x${d}`, 0, 1)),
  objective: (point) => {
    const alpha = [1, 1.2, 3, 3.2];
    const a = [
      [10, 3, 17, 3.5, 1.7, 8],
      [0.05, 10, 17, 0.1, 8, 14],
      [3, 3.5, 1.7, 10, 17, 8],
      [17, 8, 0.05, 10, 0.1, 14],
    ];
    const p = [
      [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
      [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
      [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665],
      [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    const exponent = (i: number) =>
      a[i]!.reduce((sum, w, d) => sum + w * ((point[`x${d}`] as number) - p[i]![d]!) ** 2, 0);
    return alpha.reduce((sum, weight, i) => sum + weight * Math.exp(-exponent(i)), 0);
  },
};

/**
 * An accuracy as a training might have it, at most 0.95: the learning rate has an optimum that differs by optimizer, one
 * optimizer has a momentum, and distillation, if chosen, has a temperature and a weight.
 */
const training: Problem = {
  space: [
    { kind: 'choice', path: 'optimizer', values: ['adam', 'sgd'] },
    { kind: 'range', path: 'learning_rate', low: 1e-5, high: 1, log: true },
    { ...range('momentum', 0, 0.99), when: { optimizer: ['sgd'] } },
    { kind: 'choice', path: 'method', values: ['nokd', 'kd', 'dkd'] },
    { kind: 'range', path: 'temperature', low: 1, high: 20, log: true, when: { method: ['kd', 'dkd'] } },
    { ...range('alpha', 0, 1), when: { method: ['kd', 'dkd'] } },
    { kind: 'range', path: 'num_channels', low: 8, high: 64, step: 8, log: false },
  ],
  objective: (point) => {
    const decades = Math.log10(point.learning_rate as number);
    const isSgd = point.optimizer === 'sgd';
    const rate = isSgd
      ? (decades + 1) ** 2 / 20 + ((point.momentum as number) - 0.9) ** 2 / 10
      : 0.02 + (decades + 3) ** 2 / 10;
    const gains: Record<string, number> = { nokd: 0, kd: 0.03, dkd: 0.04 };
    const gain = gains[point.method as string]!;
    const distance =
      gain > 0
        ? Math.log2((point.temperature as number) / 4) ** 2 / 100 + ((point.alpha as number) - 0.7) ** 2 / 10
        : 0;
    return 0.91 - rate + gain - distance - (64 - (point.num_channels as number)) / 1000;
  },
};

export const problems: Readonly<Record<string, Problem>> = {
  'the Branin function': branin,
  'the Hartmann function of six dimensions': hartmann6,
  'a training with conditions': training,
};
