/**
 * The start of a run: from its last checkpoint, from other weights, or from scratch; checks that nothing relevant has
 * changed.
 */
import type { State } from '../../engine/session';
import { matchStateDict } from '../../formats/checkpoints';
import type { NamedArrays } from '../../formats/ndarray';
import { runFiles } from '../../runs/files';
import { START, type Position } from '../../runs/position';
import type { FoundCheckpoint, RunDirectory } from '../../runs/run_directory';
import { UserError } from '../../utils/errors';
import type { Model } from '../nets/model';
import { statesIn } from '../training/nan_guard';
import { checkpointPath, initialFile, initialWeights, loadWeights, normalizationNotice } from './experiment';
import { changedInputs, isPathKey, type Ingredients } from './inputs';
import { changedKeys, type Params } from './params';
import { withImplied } from './resolved';
import type { Setup } from './setup';

/** A checkpoint and the params of its run. */
type Found = FoundCheckpoint & { readonly params: Params };

export interface Start {
  /** The checkpoint that the run resumes from. */
  readonly last: Found | undefined;
  /** The file of the initial weights of a new run, if `--restore_file` names one. */
  readonly weights: string | undefined;
  readonly position: Position;
  /** Keys of params.json whose paths have changed since the run started. */
  readonly moved: readonly string[];
}

/** Keys that may change when a run is resumed: they do not affect finished work. */
const mayChange = [
  'num_epochs',
  'device',
  'on_nan',
  'checkpoint_every',
  'teacher_cache_gigabytes',
  'dataset.cache',
  'dataset.cache_gigabytes',
  'trackers',
];

const OR_FRESH = 'or start over with --fresh, which keeps the old results';

/**
 * A run resumes from its last checkpoint, unless `--fresh` starts it over or `--restore_file` names weights. Throws a
 * UserError if params have changed, or if there is nothing to resume from.
 */
export function startOf(
  run: RunDirectory,
  params: Params,
  { restore_file: file, fresh }: { readonly restore_file: string | undefined; readonly fresh: boolean },
): Start {
  const isElsewhere = file !== undefined && file !== 'last';
  const last = fresh || isElsewhere ? undefined : (run.readLast() as Found | undefined);
  if (file === 'last' && !last) throw new UserError(`${run.file(runFiles.last)}: no such file`);
  const moved = last ? refuseChanges(run, last, params) : [];
  return {
    last,
    weights: isElsewhere ? checkpointPath(run, file) : undefined,
    position: last?.position ?? START,
    moved,
  };
}

/** Refuses to resume with other images or another teacher. */
export function refuseOtherInputs(run: RunDirectory, { last, moved }: Start, inputs: Ingredients): void {
  const lines = last ? changedInputs(run.facts(), inputs, moved) : [];
  if (lines.length === 0) return;
  throw new UserError(`${run.path}: ${lines.join('; ')}; restore the original files to resume, ${OR_FRESH}`);
}

/**
 * Loads the initial state of a trainer. Returns the state at the beginning of the current epoch if the checkpoint has
 * it. `given` are the params as written, without the paths of this directory.
 */
export async function loadStart(
  run: RunDirectory,
  { last, weights }: Start,
  { trainer, model, dataset, params }: Setup,
  given: Params,
  log: (line: string) => void,
): Promise<NamedArrays | undefined> {
  const { specs } = trainer.state;
  if (last) {
    const { state, start } = statesIn(last.tensors);
    trainer.loadState(matchStateDict(last.path, state, specs));
    return start && matchStateDict(last.path, start, specs);
  }
  const { init } = params;
  const state = await startingState(weights, init, model, specs, log);
  // A stage before this run was fed the same images.
  const isOwn = init?.checkpoint !== given.init?.checkpoint;
  const file = weights ?? (init && !isOwn ? initialFile(init.checkpoint) : undefined);
  const notice = file === undefined ? undefined : normalizationNotice(file, run, given, dataset);
  if (notice !== undefined) log(notice);
  if (state) trainer.loadState(state);
  return undefined;
}

async function startingState(
  weights: string | undefined,
  init: Params['init'],
  model: Model,
  specs: State['specs'],
  log: (line: string) => void,
): Promise<NamedArrays | undefined> {
  if (weights !== undefined) return loadWeights(weights, model, log);
  return init && initialWeights(init, model, specs, log);
}

/** Refuses to resume with params that differ from the checkpoint's; returns the keys whose paths have changed. */
function refuseChanges(run: RunDirectory, last: Found, params: Params): string[] {
  const different = changedKeys(withImplied(last.params), withImplied(params));
  const changed = different.filter(
    (key) => !isFree(key) && !isPathKey(key) && !isFormerDefault(key, last.params, params),
  );
  if (changed.length > 0) {
    const values = changed.map((key) => `"${key}" (was ${show(last.params, key)}, is ${show(params, key)})`);
    throw new UserError(
      `${run.file(runFiles.params)}: ${values.join(', ')} changed since the run started; ` +
        `restore the old value to resume, ${OR_FRESH}`,
    );
  }
  return different.filter(isPathKey);
}

/** Whether a key, or what it is inside of, may change. */
function isFree(key: string): boolean {
  return mayChange.some((free) => key === free || key.startsWith(`${free}.`));
}

/**
 * Earlier versions resized images to 8/7 of the size of the data set also where they had that size already. Such a run goes on with
 * this as its `resize`; whether its images are the same is told by their sizes, as for all runs.
 */
function isFormerDefault(key: string, before: Params, now: Params): boolean {
  if (key !== 'dataset.resize' || show(before, key) !== 'absent') return false;
  return show(now, key) === String(Math.round((Number(show(now, 'dataset.size')) * 8) / 7));
}

function show(params: Params, path: string): string {
  const value = path.split('.').reduce<unknown>((object, key) => (object as Record<string, unknown>)?.[key], params);
  return JSON.stringify(value) ?? 'absent';
}
