/** The command that searches: from its arguments to its exit code. */
import { existsSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { getBorderCharacters, table } from 'table';
import { runFiles, searchFiles } from '../runs/files';
import { acquireLock } from '../runs/lock';
import { RunDirectory } from '../runs/run_directory';
import { integerFlag, oneOf, parseArguments } from '../utils/cli';
import { UserError } from '../utils/errors';
import { readObject } from '../utils/files';
import { onInterrupt } from '../utils/interrupt';
import { withoutSchema } from '../utils/json';
import { openLog, type Log } from '../utils/logger';
import { threadsWarning } from '../utils/threads';
import type { SearchContext } from './context';
import { Journal, readJournal, type Event } from './journal';
import { canonical } from './json';
import type { Launcher } from './launchers/launcher';
import { localLauncher } from './launchers/local';
import { rayLauncher } from './launchers/ray';
import { rayAddress, RayCluster, requireRay } from './launchers/ray_cluster';
import { slurmLauncher } from './launchers/slurm';
import { Cluster, requireSlurm } from './launchers/slurm_cluster';
import { mostAtATime } from './parallelism';
import { samplers, type SamplerName } from './samplers';
import { Search } from './scheduler';
import { settingsChanges } from './settings/changes';
import { readSettings, type Settings } from './settings/settings';
import type { Dimension } from './space/space';
import { unusedDimensions } from './space/unused_dimensions';
import type { Trainer } from './trainer';
import { changedParams } from './trials/child';
import { importedTrials, importEvents, importLines } from './trials/imported';
import { withoutLost } from './trials/lost_results';
import { Proposals } from './trials/proposals';
import { stateOf, trialsOf, withEvent, type Trial } from './trials/trials';
import { openView } from './view';

const command = {
  name: 'search_hyperparams.ts',
  summary:
    'Searches hyperparameters: trains the trials that search.json defines. A search that was interrupted resumes.',
  flags: {
    parent_dir: {
      type: 'string',
      required: 'name the directory of a search',
      help: 'directory with params.json and search.json; each trial is trained in a directory inside it',
    },
    n_jobs: { type: 'number', formerly: 'parallel', help: 'number of parallel trials' },
    n_trials: { type: 'number', formerly: 'trials', help: 'total number of trials, including those already done' },
    sampler: { type: 'string', help: Object.keys(samplers).join(', ') },
    dry_run: { type: 'boolean', default: false, help: 'print the trials and write nothing' },
    extend: {
      type: 'boolean',
      default: false,
      help: 'accept a search.json that adds trials or values to those of the search so far',
    },
    teacher_cache: { type: 'string', help: 'directory where several searches share teacher outputs; it stays' },
  },
} as const;

/** Runs the command. */
export async function searchHyperparameters(argv: readonly string[], trainer: Trainer): Promise<void> {
  const args = parseArguments(argv, command);
  const { parent_dir: parent } = args;
  for (const flag of ['n_jobs', 'n_trials'] as const) {
    const value = args[flag];
    if (value !== undefined) integerFlag(flag, value, 1);
  }
  if (!existsSync(parent)) throw new UserError(`${parent}: no such directory`);
  if (!statSync(parent).isDirectory()) throw new UserError(`${parent}: not a directory`);
  const params = withoutSchema(readObject(join(parent, runFiles.params)));
  const settings = settingsOf(parent, args);
  refuseMetric(parent, settings, trainer.metrics?.(params));
  const unused = unusedDimensions(parent, params, settings, trainer);
  const journal = join(parent, searchFiles.journal);
  if (args.dry_run) {
    const events = readJournal(journal);
    refuseChanges(parent, events, settings, params, args.extend, trainer);
    process.stdout.write(trialTable(parent, settings, [...events, ...importEvents(events, settings)]));
    return;
  }
  if (settings.launcher === 'slurm') await requireSlurm();
  if (settings.launcher === 'ray') await requireRay(rayAddress(settings.ray.address));
  const crowded = crowd(parent, settings);
  const lock = acquireLock(parent, runFiles.params);
  try {
    const before = readJournal(journal);
    const isNew = refuseChanges(parent, before, settings, params, args.extend, trainer);
    const imports = importEvents(before, settings);
    const events = [...before, ...imports];
    const writer = new Journal(journal);
    const append = (event: Event) => {
      lock.assertHeld();
      writer.append(event);
    };
    if (isNew) append({ event: 'search', settings, params });
    imports.forEach(append);
    const cache = args.teacher_cache;
    await search(parent, { params, settings, events, append, unused, crowded, cache }, trainer);
  } finally {
    lock.release();
  }
}

/** What the command line sets in place of search.json; a sampler has its default options then. */
interface Overrides {
  readonly n_trials?: number | undefined;
  readonly sampler?: string | undefined;
  readonly n_jobs?: number | undefined;
}

function settingsOf(parent: string, { n_trials, sampler, n_jobs }: Overrides): Settings {
  if (sampler !== undefined) oneOf('sampler', sampler, Object.keys(samplers) as SamplerName[]);
  const given = Object.entries({ n_trials, sampler, n_jobs }).filter(([, value]) => value !== undefined);
  return readSettings(join(parent, searchFiles.settings), Object.fromEntries(given));
}

/** Refuses a metric that no training would write. */
function refuseMetric(parent: string, { metric }: Settings, metrics: readonly string[] | undefined): void {
  if (metrics === undefined || metrics.includes(metric)) return;
  const accepted = metrics.map((name) => JSON.stringify(name)).join(' or ');
  const path = join(parent, searchFiles.settings);
  throw new UserError(`${path}: "metric" must be ${accepted}, got ${JSON.stringify(metric)}: no image has a label`);
}

/**
 * Whether the journal has to learn the settings: there are none, or others. A UserError tells what differs, unless it
 * is only more than before and `extend` accepts that.
 */
function refuseChanges(
  parent: string,
  events: readonly Event[],
  settings: Settings,
  params: Readonly<Record<string, unknown>>,
  extend: boolean,
  trainer: Trainer,
): boolean {
  const before = events.findLast((event) => event.event === 'search');
  if (before === undefined) return true;
  const { lines, onlyExtends } = settingsChanges(before.settings, settings);
  const ofParams = changedParams(before.params, params, trainer.resolve).map(
    (line) => `${join(parent, runFiles.params)}: ${line}`,
  );
  const isExtension = onlyExtends && ofParams.length === 0;
  if (lines.length + ofParams.length === 0 || (isExtension && extend)) return lines.length > 0;
  const advice = isExtension
    ? 'this only adds to the search: pass --extend to accept it'
    : 'the search began with other settings: restore them to resume, or start a new search in another directory';
  const ofSettings = lines.map((line) => `${join(parent, searchFiles.settings)}: ${line}`);
  throw new UserError([...ofSettings, ...ofParams, `${parent}: ${advice}`].join('\n'));
}

async function search(
  parent: string,
  given: Pick<SearchContext, 'params' | 'settings' | 'events' | 'append'> & {
    readonly unused: readonly string[];
    readonly crowded: string | undefined;
    /** The teacher cache shared with other searches. */
    readonly cache: string | undefined;
  },
  trainer: Trainer,
): Promise<void> {
  const { unused, crowded, cache, ...rest } = given;
  const { settings, events } = rest;
  const { space, metric } = settings;
  const { parallel, why } = mostAtATime(settings, availableParallelism());
  const pollMs = 1000;
  const view = openView(Math.min(parallel, settings.n_trials), metric);
  const interrupt = onInterrupt(view.announce);
  const log = openLog(join(parent, searchFiles.log), view.print);
  const own = join(parent, runFiles.teacherCache);
  const child = [...trainer.command, '--teacher_cache', cache ?? own];
  const searching = new Search({
    directory: parent,
    ...rest,
    parallel,
    resolve: trainer.resolve,
    launcher: launcherOf(settings, child, log, () => interrupt.requested, pollMs),
    log,
    interrupt,
    show: view.show,
    pollMs,
    graceMs: 10_000,
  });
  const done = () => {
    const { complete, pruned, failed } = searching.snapshot().counts;
    return complete + pruned + failed;
  };
  const failed = [...trialsOf(events).values()].filter((trial) => stateOf(trial, settings.repeats) === 'failed').length;
  log.info(
    `Searching with ${settings.sampler.name}, ${parallel} at a time: ${done()} of ${settings.n_trials} trials done` +
      (failed > 0 ? `, ${failed} that failed before are tried again` : ''),
  );
  if (why !== undefined) log.info(why);
  if (crowded !== undefined) log.warn(crowded);
  for (const dimension of space) log.info(`${dimension.path}: ${describe(dimension)}`);
  for (const line of importLines(events, settings)) log.info(line);
  for (const path of unused) log.warn(`${path}: no trial uses it`);
  try {
    await searching.run();
  } finally {
    view.stop();
  }
  const { best, counts } = searching.snapshot();
  if (best) log.info(`Best ${metric}: ${best.value.toFixed(4)} of ${join(parent, best.name)}`);
  const failures = searching.failures();
  if (failures !== undefined && counts.complete > 0) log.warn(`Of ${settings.n_trials} trials ${failures}`);
  if (interrupt.requested) {
    log.warn(`Interrupted after ${done()} of ${settings.n_trials} trials; run the same command to resume`);
    process.exitCode = interrupt.exitCode;
    return;
  }
  if (done() < settings.n_trials) {
    log.warn(`Ended after ${done()} of ${settings.n_trials} trials: the space has no more points`);
  }
  rmSync(own, { recursive: true, force: true });
  if (counts.complete === 0) throw new UserError(`${parent}: no trial completed: ${failures ?? 'all were pruned'}`);
  if (!best) throw new UserError(`${parent}: no trial has a ${metric} in its metrics.jsonl`);
}

function launcherOf(
  { launcher, slurm, ray, threads_per_trial: threads }: Settings,
  child: readonly string[],
  log: Log,
  isInterrupted: () => boolean,
  pollMs: number,
): Launcher {
  switch (launcher) {
    case 'slurm':
      return slurmLauncher(child, slurm, threads, new Cluster(log, isInterrupted, pollMs));
    case 'ray':
      return rayLauncher(child, ray, threads, new RayCluster(rayAddress(ray.address), log, isInterrupted, pollMs));
    case 'local':
      return localLauncher(child, pollMs);
  }
}

/** A line where the trials here have more threads together than there are cores; far more are a UserError. */
function crowd(parent: string, settings: Settings): string | undefined {
  const { launcher, space, threads_per_trial: threads } = settings;
  // A trial sees to it itself where it is on another machine, or the number is searched.
  if (launcher !== 'local' || space.some(({ path }) => path === 'threads')) return undefined;
  const what = `${join(parent, searchFiles.settings)}: "n_jobs" times "threads_per_trial"`;
  return threadsWarning(what, mostAtATime(settings, availableParallelism()).parallel * threads);
}

function describe(dimension: Dimension): string {
  if (dimension.kind === 'choice') return dimension.values.map(canonical).join(', ');
  const { low, high, step, log } = dimension;
  return `${low} to ${high}${step === undefined ? '' : ` in steps of ${step}`}${log ? ', logarithmic' : ''}`;
}

/** The trials that there are and those that would follow, as things stand. */
function trialTable(parent: string, settings: Settings, events: readonly Event[]): string {
  let { trials } = withoutLost(trialsOf(events), parent, settings.repeats);
  const isKnown = new Set(trials.keys());
  const proposals = new Proposals(settings, trials, importedTrials(events));
  while (trials.size < settings.n_trials) {
    const proposal = proposals.next(trials);
    if (proposal === undefined) break;
    trials = withEvent(trials, proposal);
  }
  const paths = settings.space.map(({ path }) => path);
  const head = ['#', ...paths, 'directory', 'state'];
  const stateIn = (trial: Trial) => {
    if (isKnown.has(trial.name)) return stateOf(trial, settings.repeats);
    return new RunDirectory(join(parent, trial.name)).isFinished() ? 'complete' : 'new';
  };
  const body = [...trials.values()].map((trial, index) => [
    String(index + 1),
    ...paths.map((path) => (Object.hasOwn(trial.params, path) ? canonical(trial.params[path]!) : '')),
    trial.name,
    stateIn(trial),
  ]);
  return table([head, ...body], {
    border: getBorderCharacters('norc'),
    drawHorizontalLine: (i, n) => [0, 1, n].includes(i),
  });
}
