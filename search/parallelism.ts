/** How many trials run at a time. */
import { samplers } from './samplers';
import type { Settings } from './settings/settings';

/** On a cluster, where later trials depend on how earlier ones went: a tenth of all, but no fewer than this. */
const LEAST = 4;

export interface Parallelism {
  readonly parallel: number;
  /** Why it is less than could be. */
  readonly why?: string;
}

/** As many trials as the cores have threads for; on a cluster, which sees to that itself, all where it does no harm. */
export function mostAtATime(settings: Settings, cores: number): Parallelism {
  const { launcher, sampler, pruner, n_trials, threads_per_trial: threads } = settings;
  const given = settings.n_jobs ?? (launcher === 'slurm' ? settings.slurm.array_limit : undefined);
  if (given !== undefined) return { parallel: given };
  if (launcher === 'local') return { parallel: Math.max(1, Math.floor(cores / threads)) };
  const learner = samplers[sampler.name].learns ? sampler.name : pruner.name;
  const parallel = learner === 'none' ? n_trials : Math.min(n_trials, Math.max(LEAST, Math.ceil(n_trials / 10)));
  if (parallel === n_trials) return { parallel };
  const why = `${parallel} jobs at a time, so that "${learner}" can learn from finished trials; set "${launcher === 'slurm' ? 'slurm.array_limit' : 'n_jobs'}" to change this`;
  return { parallel, why };
}
