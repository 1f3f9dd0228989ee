/** Runs a trial: its repeats one after another, and each again where it fails. */
import { join } from 'node:path';
import { repeatDirectory, runFiles } from '../../runs/files';
import { lockState } from '../../runs/lock';
import { RunDirectory } from '../../runs/run_directory';
import { isSystemError, messageOf, UserError } from '../../utils/errors';
import type { SearchContext } from '../context';
import { finite, type Event } from '../journal';
import { LauncherFault } from '../launchers/launcher';
import type { SearchState } from '../search_state';
import type { Settings } from '../settings/settings';
import { supervise, type Run } from '../supervisor';
import { curveOf, isRemoved, lastWords, prepareChild, refuseLinks, scoreOf } from './child';
import { childParams } from './child_params';
import { lostRepeat } from './lost_results';
import { hasAdvanced, positionsOf } from './positions';
import type { Trial } from './trials';

/** What a failure is called whose cause is that somebody removed the directory. */
const REMOVED = 'its directory was removed during training';

/**
 * Runs the repeats of a trial that are left, one after another. Returns the directory that another machine works on, where
 * there is one: the trial has to wait for that.
 */
export async function runTrial(trial: Trial, study: SearchState, context: SearchContext): Promise<string | undefined> {
  const { name, values } = trial;
  const { directory, params, settings } = context;
  const began = performance.now();
  const source = join(directory, runFiles.params);
  for (let repeat = lostRepeat(trial, directory) ?? values.length; repeat < settings.repeats; repeat++) {
    const label = repeatDirectory(name, repeat);
    const run = { name, repeat, label, directory: join(directory, label) };
    let outcome: Event | 'interrupted' | 'elsewhere';
    let isPrepared = false;
    try {
      const own = { ...childParams(params, trial.params, source), ...threadsOf(settings) };
      refuseLinks(directory, label);
      prepareChild(run.directory, repeat === 0 ? own : { ...own, seed: seedOf(own) + repeat }, context.resolve);
      isPrepared = true;
      outcome = await runRepeat(run, study, context);
    } catch (error) {
      if (error instanceof LauncherFault) throw error;
      const isOfTrial = error instanceof UserError || isSystemError(error);
      if (!isOfTrial || study.fault !== undefined) throw error;
      const reason = isPrepared && isRemoved(run.directory) ? REMOVED : messageOf(error);
      outcome = { event: 'failed', name, repeat, reason };
    }
    if (outcome === 'interrupted') return undefined;
    if (outcome === 'elsewhere') return run.directory;
    study.tellOfTeachers(run.directory);
    study.record(outcome);
    if (outcome.event !== 'finished') break;
  }
  study.report(name, (performance.now() - began) / 1000);
  return undefined;
}

/** Runs a repeat until it is finished, pruned, or has failed for good, unless it cannot be begun or go on now. */
async function runRepeat(
  run: Run,
  study: SearchState,
  context: SearchContext,
): Promise<Event | 'interrupted' | 'elsewhere'> {
  const { settings, launcher, log } = context;
  const { name, repeat, directory: child } = run;
  const files = new RunDirectory(child);
  for (let attempt = 0; ;) {
    if (files.isFinished()) return finished(run, study, settings.metric);
    const asked = curveOf(child, settings.metric).length;
    const before = positionsOf(child);
    const left = await launcher.resume(child);
    if (left === undefined && lockState(child) === 'held') return 'elsewhere';
    study.record({ event: 'started', name, repeat });
    log.info(`${left ? 'Already running' : 'Starting'}: ${child}`);
    const job = left ?? (await launcher.launch(child));
    const { stop, ending } = await supervise(job, run, asked, study, context);
    if (files.isFinished()) continue;
    if (stop === 'interrupt') return 'interrupted';
    if (isRemoved(child)) return { event: 'failed', name, repeat, reason: REMOVED };
    if (stop === 'pruned') {
      const { epochs, value } = lastOf(curveOf(child, settings.metric));
      return { event: 'pruned', name, repeat, value: finite(value), epochs };
    }
    if (stop === 'timeout') {
      return { event: 'failed', name, repeat, reason: `timeout after ${settings.trial_timeout} s` };
    }
    // A process that began before had the lock, or one that we only watched has gone: look again.
    if (left || ending.isUnseen || lockState(child) === 'held') continue;
    const diverged = files.diverged();
    if (diverged !== undefined) {
      const { epochs } = lastOf(curveOf(child, settings.metric));
      return { event: 'pruned', name, repeat, value: null, epochs, reason: diverged };
    }
    if (ending.isCutShort && hasAdvanced(before, positionsOf(child))) {
      log.info(`${ending.how}; resuming from the checkpoint: ${child}`);
      continue;
    }
    const reason = (!ending.isKilled && lastWords(child)) || ending.how;
    if (study.isStopping) return 'interrupted';
    if (attempt++ >= settings.retries) return { event: 'failed', name, repeat, reason };
    log.warn(`Failed, retrying: ${child}: ${reason}`);
  }
}

function finished({ name, repeat, directory }: Run, study: SearchState, metric: string): Event {
  const { value, epochs } = scoreOf(directory, metric);
  if (repeat === 0) study.setCurve(name, curveOf(directory, metric));
  return { event: 'finished', name, repeat, value: finite(value), epochs };
}

/** The trial's threads, unless they are what is searched. */
function threadsOf({ space, threads_per_trial: threads }: Settings): { threads?: number } {
  return space.some(({ path }) => path === 'threads') ? {} : { threads };
}

/** The seed of a params.json, with the trainer's default. */
function seedOf(params: Readonly<Record<string, unknown>>): number {
  return typeof params.seed === 'number' ? params.seed : 230;
}

function lastOf(curve: readonly number[]): { epochs: number; value: number } {
  return { epochs: curve.length, value: curve.at(-1) ?? NaN };
}
