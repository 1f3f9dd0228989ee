/** Runs a trial: its repeats one after another, and each again where it fails. */
import { join } from 'node:path';
import { isSystemError, messageOf, UserError } from '../utils/errors';
import { lockState } from '../utils/lock';
import { curveOf, divergenceOf, isFinished, lastWords, prepareChild, scoreOf } from './child';
import { childParams } from './child_params';
import type { SearchContext } from './context';
import type { Event } from './journal';
import type { Settings } from './settings';
import type { Study } from './study';
import { supervise, type Run } from './supervisor';
import type { Trial } from './trials';

/** Runs the repeats of a trial that are left, one after another. */
export async function runTrial({ name, point, values }: Trial, study: Study, context: SearchContext): Promise<void> {
  const { directory, params, settings } = context;
  const began = performance.now();
  const source = join(directory, 'params.json');
  for (let repeat = values.length; repeat < settings.repeats; repeat++) {
    const label = repeat === 0 ? name : join(name, `repeat_${repeat}`);
    const run = { name, repeat, label, directory: join(directory, label) };
    let outcome: Event | undefined;
    try {
      const own = { ...childParams(params, point, source), ...threadsOf(settings) };
      prepareChild(run.directory, repeat === 0 ? own : { ...own, seed: seedOf(own) + repeat });
      outcome = await runRepeat(run, study, context);
    } catch (error) {
      const isOfTrial = error instanceof UserError || isSystemError(error);
      if (!isOfTrial || study.fault !== undefined) throw error;
      outcome = { event: 'failed', name, repeat, reason: messageOf(error) };
    }
    if (outcome === undefined) return;
    if (outcome.event === 'failed') study.failed.add(name);
    study.record(outcome);
    if (outcome.event !== 'finished') break;
  }
  study.report(name, (performance.now() - began) / 1000);
}

/** Runs a repeat until it is finished, pruned, or has failed for good; undefined: it was interrupted. */
async function runRepeat(run: Run, study: Study, context: SearchContext): Promise<Event | undefined> {
  const { settings, launcher, log } = context;
  const { name, repeat, directory: child } = run;
  for (let attempt = 0; ;) {
    if (isFinished(child)) return finished(run, study, settings.metric);
    const asked = curveOf(child, settings.metric).length;
    const left = await launcher.resume(child);
    study.record({ event: 'started', name, repeat });
    log.info(`${left ? 'Already running' : 'Starting'}: ${child}`);
    const job = left ?? (await launcher.launch(child));
    const { stop, ending } = await supervise(job, run, asked, study, context);
    if (isFinished(child)) continue;
    if (stop === 'pruned') {
      const { epochs, value } = lastOf(curveOf(child, settings.metric));
      return { event: 'pruned', name, repeat, value: finite(value), epochs };
    }
    if (stop === 'interrupt') return undefined;
    if (stop === 'timeout') return { event: 'failed', name, repeat, reason: `timeout after ${settings.timeout} s` };
    // A process that began before had the lock, or one that we only watched has gone: look again.
    if (left || lockState(child) === 'held') continue;
    const diverged = divergenceOf(child);
    if (diverged !== undefined) {
      const { epochs } = lastOf(curveOf(child, settings.metric));
      return { event: 'pruned', name, repeat, value: null, epochs, reason: diverged };
    }
    if (ending.isCutShort && curveOf(child, settings.metric).length > asked) continue;
    const reason = (!ending.isKilled && lastWords(child)) || ending.how;
    if (study.isStopping) return undefined;
    if (attempt++ >= settings.retries) return { event: 'failed', name, repeat, reason };
    log.warn(`Failed, starting again: ${child}: ${reason}`);
  }
}

function finished({ name, repeat, directory }: Run, study: Study, metric: string): Event {
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

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
