/** Statistics of published and of drawn examples, from SciPy and statsmodels (test/fixtures/make_statistics.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Statistics {
  readonly paired_t: { source: string; a: number[]; b: number[]; p: number; interval: [number, number] }[];
  readonly binomial: { n: number; p: number; k: number[]; probabilities: number[] }[];
  readonly mcnemar: { source: string; gained: number; lost: number; midp: number }[];
  readonly bootstrap: { n: number; gained: number; lost: number; interval: [number, number] }[];
  readonly holm: { source: string; values: number[]; corrected: number[] }[];
  readonly calibration: { bins: number; confidences: number[]; correct: boolean[]; error: number }[];
}

export const statistics = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'statistics.json'), 'utf8'),
) as Statistics;
