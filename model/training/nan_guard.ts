/**
 * What is done about numbers that are not finite. A step whose loss, gradients or new weights are NaN or infinite leaves
 * the state as it was; then the run ends (`stop`), goes on with the next batch (`skip`), or goes back to the beginning of
 * the epoch and has half the learning rate from there on (`restore`). All of it follows from the steps and from what a
 * checkpoint holds, so that a run that is interrupted ends with the same bits.
 */
import type { StepContext } from '../../engine/step_context';
import { OPTIMIZER_PREFIX } from '../../engine/optimizers/index';
import type { Results } from '../../engine/session';
import { messageOf, UserError } from '../../utils/errors';
import type { Log } from '../../utils/logger';
import type { NamedArrays } from '../../formats/ndarray';
import type { EpochRecord, Score } from '../../runs/metrics';
import type { Position, Trouble } from '../../runs/position';
import { ordinal } from '../../utils/words';
import type { Batch } from '../data/loader';
import { allOutputs, firstNonFinite, layerOutputs, layerTable } from './nan_diagnosis';
import { NonFiniteStep, type Trainer } from './trainer';

/** What is done where a loss, a gradient or a new weight is NaN or infinite. */
export const onNanPolicies = ['stop', 'skip', 'restore'] as const;
export type OnNan = (typeof onNanPolicies)[number];

/** So many optimizer steps in a row that are not finite end a run, or as many as an epoch has. */
const MOST_SKIPPED = 10;
/** How often a run goes back at most. */
const MOST_RESTORED = 5;

/** In front of the names of states as they were at the beginning of the epoch, in a checkpoint amid it. */
const START_PREFIX = `${OPTIMIZER_PREFIX}epoch_start.`;

export interface NanGuardOptions {
  readonly policy: OnNan;
  /** Finds the first operator that was not finite, and ends the run. */
  readonly debug: boolean;
  /** Batches of an epoch, and of an optimizer step. */
  readonly batches: number;
  readonly accumulate: number;
  readonly log: Pick<Log, 'warn' | 'error'>;
  /** In front of the message of the error that ends a run. */
  readonly source: string;
  /** Is told why the run ends. */
  readonly onStop?: (why: string) => void;
}

type Context = Omit<StepContext, 'seed'>;

/** What an epoch cannot go on from. */
interface Failure {
  /** Epoch, step, learning rate and what is not finite. */
  readonly line: string;
  readonly at?: { readonly batch: Batch; readonly context: Context };
}

export class NanGuard {
  private trouble: Trouble;
  private failure: Failure | undefined;

  /** `trouble` and `start`, the state at the beginning of its epoch, are those of the checkpoint that the run goes on from. */
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

  /** Whether the epoch cannot go on: `settle` says how the run does. */
  get isHalted(): boolean {
    return this.failure !== undefined;
  }

  /** What a position says of it; nothing where there was no trouble. */
  get position(): Pick<Position, 'trouble'> {
    const { skipped, inARow, restored } = this.trouble;
    return skipped + inARow + restored > 0 ? { trouble: this.trouble } : {};
  }

  /** What run.json says of it. */
  get facts(): { skipped_steps?: number; restored?: number } {
    const { skipped, restored } = this.trouble;
    return { ...(skipped > 0 && { skipped_steps: skipped }), ...(restored > 0 && { restored }) };
  }

  /** What the record of an epoch says of it, where `history` has those before. */
  record(history: readonly EpochRecord[]): Pick<EpochRecord, 'skipped'> {
    const skipped = this.trouble.skipped - skippedIn(history);
    return skipped > 0 ? { skipped } : {};
  }

  /** What a checkpoint amid the epoch has besides the state. */
  get tensors(): NamedArrays {
    return new Map([...(this.start ?? [])].map(([name, array]) => [START_PREFIX + name, array]));
  }

  /** Begins an epoch, or goes on with it after `step` of its batches; `history` has the epochs before. */
  async onEpochStart(step: number, history: readonly EpochRecord[]): Promise<void> {
    if (step > 0) return;
    this.trouble = { ...this.trouble, skipped: skippedIn(history) };
    if (this.policy !== 'restore') return;
    const { state } = this.trainer;
    await state.toHost();
    this.start = new Map([...state.arrays()].map(([name, array]) => [name, { ...array, data: array.data.slice() }]));
  }

  /** One step; undefined where it was left out, or where `isHalted` tells that the epoch cannot go on. */
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

  /** Looks at what the epoch came to on the validation images; `isHalted` tells whether it counts. */
  onValidation(epoch: number, { loss }: Score): void {
    if (this.policy === 'skip' || Number.isFinite(loss)) return;
    this.failure = { line: `epoch ${epoch}: the loss on the validation images is ${loss}` };
  }

  /**
   * After an epoch that cannot go on: goes back to its beginning, or logs how large weights and activations are and throws a
   * UserError with one line that says why.
   */
  async recover(): Promise<void> {
    const { line, at } = this.failure!;
    this.failure = undefined;
    const { log, source, onStop } = this.options;
    const { restored } = this.trouble;
    if (this.policy === 'restore' && this.start && restored < MOST_RESTORED) {
      log.warn(
        `${line}; back to the beginning of the epoch with half the learning rate (${restored + 1} of ${MOST_RESTORED})`,
      );
      for (const [name, array] of this.start) this.trainer.state.set(name, array);
      this.trouble = { ...this.trouble, inARow: 0, restored: restored + 1 };
      return;
    }
    const why = `${line}${this.limit()}`;
    for (const text of await this.diagnosis(at)) log.error(text);
    onStop?.(why);
    throw new UserError(`${source}: ${why}; the checkpoints are untouched`);
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
    if (this.policy === 'skip' && inARow + 1 < most) log.warn(`${line}; it is left out`);
    else this.failure = { line, at: { batch, context } };
  }

  /** Why a run that may skip or go back does not. */
  private limit(): string {
    const { inARow, restored } = this.trouble;
    if (this.policy === 'skip') return `, the ${ordinal(inARow)} in a row`;
    if (this.policy === 'stop') return '';
    return restored === MOST_RESTORED ? `, after going back ${restored} times` : ', and no state to go back to';
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
      return [...layerTable(weights).split('\n'), `The step could not be looked into: ${messageOf(error)}`];
    }
  }
}

function skippedIn(history: readonly EpochRecord[]): number {
  return history.reduce((sum, { skipped = 0 }) => sum + skipped, 0);
}

/** The tensors of a checkpoint: the state, and that at the beginning of its epoch where it has one. */
export function statesIn(tensors: NamedArrays): { readonly state: NamedArrays; readonly start?: NamedArrays } {
  const isOfStart = (name: string) => name.startsWith(START_PREFIX);
  const state = new Map([...tensors].filter(([name]) => !isOfStart(name)));
  if (state.size === tensors.size) return { state };
  const start = [...tensors].filter(([name]) => isOfStart(name));
  return { state, start: new Map(start.map(([name, array]) => [name.slice(START_PREFIX.length), array])) };
}
