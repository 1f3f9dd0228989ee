/**
 * Handles numbers that are not finite. A step whose loss, gradients or new weights are NaN or infinite leaves the state
 * unchanged; then the run stops (`stop`), continues with the next batch (`skip`), or returns to the beginning of the
 * epoch with half the learning rate (`restore`). All of it is a function of the steps and of the checkpoint, so that an
 * interrupted run gives bit-identical results.
 */
import { OPTIMIZER_PREFIX } from '../../engine/optimizers/index';
import type { Results } from '../../engine/session';
import type { StepContext } from '../../engine/step_context';
import type { NamedArrays } from '../../formats/ndarray';
import type { EpochRecord, Score } from '../../runs/metrics';
import type { Position, Trouble } from '../../runs/position';
import { messageOf, UserError } from '../../utils/errors';
import type { Log } from '../../utils/logger';
import { ordinal } from '../../utils/words';
import type { Batch } from '../data/loader';
import { allOutputs, firstNonFinite, layerOutputs, layerTable } from './nan_diagnosis';
import { NonFiniteStep, type Trainer } from './trainer';

/** What to do if a loss, a gradient or a new weight is NaN or infinite. */
export const onNanPolicies = ['stop', 'skip', 'restore'] as const;
export type OnNan = (typeof onNanPolicies)[number];

/** A run ends after this many optimizer steps in a row that are not finite, or after a whole epoch of them. */
const MOST_SKIPPED = 10;
/** Maximum number of returns to the beginning of an epoch. */
const MOST_RESTORED = 5;

/** Prefix of the states at the beginning of the epoch, in a checkpoint inside it. */
const START_PREFIX = `${OPTIMIZER_PREFIX}epoch_start.`;

export interface NanGuardOptions {
  readonly policy: OnNan;
  /** Finds the first operator that is not finite, and ends the run. */
  readonly debug: boolean;
  /** Batches per epoch, and per optimizer step. */
  readonly batches: number;
  readonly accumulate: number;
  readonly log: Pick<Log, 'warn' | 'error'>;
  /** Prefix of the message of the error that ends a run. */
  readonly source: string;
  /** Receives the reason why the run ends. */
  readonly onStop?: (why: string) => void;
}

type Context = Omit<StepContext, 'seed'>;

/** Why an epoch cannot continue. */
interface Failure {
  /** Epoch, step, learning rate and what is not finite. */
  readonly line: string;
  readonly at?: { readonly batch: Batch; readonly context: Context };
}

export class NanGuard {
  private trouble: Trouble;
  private failure: Failure | undefined;

  /**
   * `trouble` and `start`, the state at the beginning of the epoch, come from the checkpoint that the run resumes from.
   */
  constructor(
    private readonly trainer: Trainer,
    private readonly options: NanGuardOptions,
    trouble: Trouble = { skipped: 0, inARow: 0, restored: 0 },
    private start?: NamedArrays,
  ) {
    this.trouble = trouble;
  }

  /** Factor of all learning rates. */
  get rate(): number {
    return 0.5 ** this.trouble.restored;
  }

  /** Whether the epoch cannot continue; `settle` decides how the run does. */
  get isHalted(): boolean {
    return this.failure !== undefined;
  }

  /** The entry for a position; empty if all steps were finite. */
  get position(): Pick<Position, 'trouble'> {
    const { skipped, inARow, restored } = this.trouble;
    return skipped + inARow + restored > 0 ? { trouble: this.trouble } : {};
  }

  /** The entry for run.json. */
  get facts(): { skipped_steps?: number; restored?: number } {
    const { skipped, restored } = this.trouble;
    return { ...(skipped > 0 && { skipped_steps: skipped }), ...(restored > 0 && { restored }) };
  }

  /** The entry for the record of an epoch, given the `history` of earlier epochs. */
  record(history: readonly EpochRecord[]): Pick<EpochRecord, 'skipped'> {
    const skipped = this.trouble.skipped - skippedIn(history);
    return skipped > 0 ? { skipped } : {};
  }

  /** Additional tensors of a checkpoint inside an epoch. */
  get tensors(): NamedArrays {
    return new Map([...(this.start ?? [])].map(([name, array]) => [START_PREFIX + name, array]));
  }

  /** Starts an epoch, or resumes it after `step` of its batches; `history` has the earlier epochs. */
  async onEpochStart(step: number, history: readonly EpochRecord[]): Promise<void> {
    if (step > 0) return;
    this.trouble = { ...this.trouble, skipped: skippedIn(history) };
    if (this.policy !== 'restore') return;
    const { state } = this.trainer;
    await state.toHost();
    this.start = new Map([...state.arrays()].map(([name, array]) => [name, { ...array, data: array.data.slice() }]));
  }

  /** Runs one step; undefined if it was skipped, or if the epoch cannot continue (`isHalted`). */
  async step(batch: Batch, context: Context): Promise<Results | undefined> {
    const { micro } = context;
    if (micro && micro.update === this.trouble.update) return undefined;
    try {
      const results = await this.trainer.step(batch, context);
      if (!micro || micro.isLast) this.trouble = { ...this.trouble, inARow: 0 };
      return results;
    } catch (error) {
      if (!(error instanceof NonFiniteStep)) throw error;
      this.leaveOut(error.message, batch, context);
      return undefined;
    }
  }

  /** Checks the validation loss of the epoch; sets `isHalted` if it is not finite. */
  onValidation(epoch: number, { loss }: Score): void {
    if (this.policy === 'skip' || Number.isFinite(loss)) return;
    this.failure = { line: `epoch ${epoch}: the loss on the validation images is ${loss}` };
  }

  /**
   * Handles an epoch that cannot continue: returns to its beginning, or logs the magnitudes of weights and activations
   * and throws a UserError of one line with the reason.
   */
  async recover(): Promise<void> {
    const { line, at } = this.failure!;
    this.failure = undefined;
    const { log, source, onStop } = this.options;
    const { restored } = this.trouble;
    if (this.policy === 'restore' && this.start && restored < MOST_RESTORED) {
      log.warn(
        `${line}; restoring the beginning of the epoch with half the learning rate (${restored + 1} of ${MOST_RESTORED})`,
      );
      for (const [name, array] of this.start) this.trainer.state.set(name, array);
      this.trouble = { ...this.trouble, inARow: 0, restored: restored + 1 };
      return;
    }
    const why = `${line}${this.limit()}`;
    for (const text of await this.diagnosis(at)) log.error(text);
    onStop?.(why);
    throw new UserError(`${source}: ${why}; the checkpoints are unchanged`);
  }

  private get policy(): OnNan {
    return this.options.debug ? 'stop' : this.options.policy;
  }

  private leaveOut(problem: string, batch: Batch, context: Context): void {
    const { batches, accumulate, log } = this.options;
    const { epoch, step, learningRate, micro } = context;
    const { skipped, inARow, restored } = this.trouble;
    const place = `epoch ${epoch}, step ${step - (epoch - 1) * batches} of ${batches}, learning rate ${learningRate}`;
    const line = `${place}: ${problem}`;
    const most = Math.min(MOST_SKIPPED, Math.ceil(batches / accumulate));
    this.trouble = { skipped: skipped + 1, inARow: inARow + 1, restored, ...(micro && { update: micro.update }) };
    if (this.policy === 'skip' && inARow + 1 < most) log.warn(`${line}; step skipped`);
    else this.failure = { line, at: { batch, context } };
  }

  /** Why a run does not skip or restore although `on_nan` allows it. */
  private limit(): string {
    const { inARow, restored } = this.trouble;
    if (this.policy === 'skip') return `, the ${ordinal(inARow)} in a row`;
    if (this.policy === 'stop') return '';
    return restored === MOST_RESTORED ? `, after restoring ${restored} times` : ', and there is no state to restore';
  }

  private async diagnosis(at: Failure['at']): Promise<string[]> {
    const { trainer } = this;
    await trainer.state.toHost();
    const weights = trainer.state.arrays();
    if (!at) return layerTable(weights).split('\n');
    try {
      const lines = layerTable(weights, await trainer.inspect(at.batch, at.context, layerOutputs)).split('\n');
      if (!this.options.debug) return lines;
      return [...lines, firstNonFinite(await trainer.inspect(at.batch, at.context, allOutputs))];
    } catch (error) {
      return [...layerTable(weights).split('\n'), `The step could not be inspected: ${messageOf(error)}`];
    }
  }
}

function skippedIn(history: readonly EpochRecord[]): number {
  return history.reduce((sum, { skipped = 0 }) => sum + skipped, 0);
}

/** Splits the tensors of a checkpoint: the state, and the state at the beginning of its epoch, if any. */
export function statesIn(tensors: NamedArrays): { readonly state: NamedArrays; readonly start?: NamedArrays } {
  const isOfStart = (name: string) => name.startsWith(START_PREFIX);
  const state = new Map([...tensors].filter(([name]) => !isOfStart(name)));
  if (state.size === tensors.size) return { state };
  const start = [...tensors].filter(([name]) => isOfStart(name));
  return { state, start: new Map(start.map(([name, array]) => [name.slice(START_PREFIX.length), array])) };
}
