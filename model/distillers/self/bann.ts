/** Born again (Furlanello, Lipton, Tschannen, Itti & Anandkumar 2018, ICML, "Born again neural networks"). */
import { runFiles } from '../../../runs/files';
import { architectureOf } from '../../nets/net_params';
import type { Distiller } from '../distiller';

export interface BannOptions {
  readonly generations: number;
  readonly alpha: number;
  readonly temperature: number;
}

/**
 * A chain of runs of one net: the first learns from the labels, each generation after it by `kd` from the best weights of the
 * one before. α = 1 and T = 1 are the paper's: the soft targets alone, or with the labels beside them where α is less. All
 * stages have the run's seed, and so the same images to validate on; they begin with the same weights, where the paper draws
 * new ones.
 */
export const bann: Distiller<BannOptions> = {
  title:
    'Born again: the net learns from itself, generation after generation, by (1 − α) · CE + α · T² · KL (Furlanello et al. 2018, ICML)',
  options: {
    generations: { type: 'integer', minimum: 1, default: 3, title: 'number of generations after the first net' },
    alpha: { type: 'number', minimum: 0, maximum: 1, default: 1, title: 'α, weight of the soft targets' },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 1, title: 'T, temperature' },
  },
  needsTeacher: false,
  stages: ({ generations, alpha, temperature }, { net: model, method, ...run }) => {
    const instead = (name: 'kd' | 'nokd') => method.map((one) => (one.name === 'bann' ? { name } : one));
    return Array.from({ length: generations + 1 }, (_, i) => ({
      name: `generation_${i}`,
      changes: (before) => ({
        method: instead(before === undefined ? 'nokd' : 'kd'),
        ...(before !== undefined && {
          teacher: { model, checkpoint: `${before}/${runFiles.best}`, ...architectureOf(run) },
          alpha,
          temperature,
        }),
      }),
    }));
  },
};
