/** search.json: what a search varies, how it chooses, what it compares and what it may spend. */
import { secondsOf } from '../../utils/duration';
import { UserError } from '../../utils/errors';
import { isThere, readJson } from '../../utils/files';
import { isObject, show } from '../../utils/json';
import { mistakes } from '../../utils/schema';
import type { PrunerSettings } from '../pruners/index';
import { gridSize } from '../samplers/grid';
import { samplers, type SamplerSettings } from '../samplers/index';
import { parseSpace, type SpaceInFile } from '../space/parse_space';
import { PATH } from '../space/schema';
import type { Space } from '../space/space';
import type { Naming } from '../trials/trial_name';
import { keysGivenTwice, namedAsIn, withPresentNames } from './former_names';
import { MAX_TRIALS, schemaFor } from './schema';

export interface SlurmSettings {
  readonly partition?: string;
  /** Longest running time, as Slurm writes it. */
  readonly time?: string;
  readonly gres?: string;
  readonly cpus?: number;
  readonly memory?: string;
  /** What a job that found too little memory asks for in the next start, in parts of what it asked for. */
  readonly memory_factor?: number;
  readonly account?: string;
  readonly qos?: string;
  readonly constraint?: string;
  readonly nodes_exclude?: string;
  /** What the trainer gets so many seconds before its time is up, as in `TERM@120`. */
  readonly signal?: string;
  /** Lines of the batch script before the trainer. */
  readonly setup?: readonly string[];
  /** Further options of sbatch. */
  readonly options?: readonly string[];
  /** Jobs that are submitted at a time. */
  readonly array_limit?: number;
}

export interface RaySettings {
  /** Of the head's dashboard. */
  readonly address?: string;
  readonly cpus?: number;
  readonly gpus?: number;
  /** An amount with its unit, as in `8G`. */
  readonly memory?: string;
  /** Custom resources by their names. */
  readonly resources?: Readonly<Record<string, number>>;
  /** Environment variables of the trainer. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Every key of search.json, filled. It survives JSON unchanged, so that a journal can keep it. */
export interface Settings {
  readonly space: Space;
  readonly sampler: SamplerSettings;
  /** Points in all. */
  readonly n_trials: number;
  readonly seed: number;
  readonly repeats: number;
  readonly pruner: PrunerSettings;
  readonly metric: string;
  readonly direction: 'maximize' | 'minimize';
  /** Trials at a time; absent: as many as the cores have threads for. */
  readonly n_jobs?: number;
  readonly threads_per_trial: number;
  readonly max_failures: number;
  readonly retries: number;
  /** Seconds; absent: no limit. */
  readonly trial_timeout?: number;
  readonly launcher: 'local' | 'slurm' | 'ray';
  readonly slurm: SlurmSettings;
  readonly ray: RaySettings;
  readonly names: Naming;
  /** A study whose trials the sampler learns from. */
  readonly optuna?: OptunaSettings;
}

/** A study in a journal file of Optuna; by its name where there are several. */
export type OptunaSettings = { readonly path: string; readonly study_name?: string };

/** The search of a directory without search.json: the published grid over weight and temperature. */
export const classicSearch = {
  space: { alpha: [0.99, 0.95, 0.5, 0.1, 0.05], temperature: [20, 10, 8, 6, 4.5, 3, 2, 1.5] },
  names: 'classic',
};

/**
 * Reads and checks a search.json; the classic search where there is none. `changes` replace keys of the file. Throws a
 * UserError with a line for each mistake.
 */
export function readSettings(path: string, changes: Readonly<Record<string, unknown>> = {}): Settings {
  const content = isThere(path) ? readJson(path) : classicSearch;
  return parseSettings(content, path, changes);
}

/** Checks the content of a search.json, which stays as it is; `source` names it in the lines of the UserError. */
export function parseSettings(
  content: unknown,
  source: string,
  changes: Readonly<Record<string, unknown>> = {},
): Settings {
  const check = (lines: string[]) => {
    if (lines.length > 0) throw new UserError(lines.map((line) => `${source}: ${line}`).join('\n'));
  };
  if (!isObject(content)) check(mistakes({ type: 'object' }, content));
  const given = content as Record<string, unknown>;
  check(keysGivenTwice(given));
  const written = expanded({ ...given, ...namedAsIn(given, changes) });
  const hasThreads = written.threads_per_trial !== undefined;
  check([...pathMistakes(written.space), ...mistakes(schemaFor(written), written)]);
  const file = withPresentNames(written);

  const { space, mistakes: lines } = parseSpace(file.space as SpaceInFile);
  check(lines);
  const { sampler, repeats, metric } = file as unknown as Settings;
  check(samplers[sampler.name].mistakes(space));
  if (repeats > 1 && space.some(({ path }) => path === 'seed')) {
    check([`"repeats" must be 1 where "space" has "seed", got ${repeats}`]);
  }
  const defaults = {
    n_trials: sampler.name === 'grid' ? gridSize(space) : 40,
    direction: metric.endsWith('loss') ? 'minimize' : 'maximize',
  };
  if (file.n_trials === undefined && defaults.n_trials > MAX_TRIALS) {
    check([`"space" has ${defaults.n_trials} points: "n_trials" must say how many of them, up to ${MAX_TRIALS}`]);
  }
  if (file.optuna !== undefined && !samplers[sampler.name].learns) {
    check([`"optuna" needs a "sampler" that learns from trials ("tpe"), got ${show(sampler.name)}`]);
  }
  const { trial_timeout: limit } = file;
  const timeout = typeof limit === 'string' ? { trial_timeout: secondsOf(limit) } : {};
  const { launcher, ...others } = file as unknown as Settings;
  const cpus = launcher === 'local' ? undefined : others[launcher].cpus;
  const threads = !hasThreads && cpus ? { threads_per_trial: cpus } : {};
  delete file.$schema;
  return { ...defaults, ...file, space, ...timeout, ...threads } as unknown as Settings;
}

/** A copy whose objects are its own, with the long form of a sampler and a pruner that are given by their names. */
function expanded(content: Record<string, unknown>): Record<string, unknown> {
  const copy = (value: unknown): unknown => (isObject(value) ? { ...value } : value);
  const long = (value: unknown): unknown => (typeof value === 'string' ? { name: value } : copy(value));
  const { sampler = 'grid', pruner = 'none', ...rest } = content;
  const file: Record<string, unknown> = { ...rest, sampler: long(sampler), pruner: long(pruner) };
  if (typeof rest.optuna === 'string') file.optuna = { path: rest.optuna };
  for (const key of ['space', 'slurm', 'ray', 'optuna']) if (Object.hasOwn(file, key)) file[key] = copy(file[key]);
  if (isObject(file.space)) for (const [path, value] of Object.entries(file.space)) file.space[path] = copy(value);
  return file;
}

function pathMistakes(space: unknown): string[] {
  const isKey = (path: string) => new RegExp(PATH).test(path);
  const wrong = Object.keys(isObject(space) ? space : {}).filter((path) => !isKey(path));
  return wrong.map(
    (path) => `"space" must have keys of params.json, as "alpha" or "schedule.gamma", got ${show(path)}`,
  );
}
