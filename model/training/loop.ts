/**
 * The training loop: epochs of steps with a validation after each. Hooks save, show and decide, so that train.ts, the
 * code API and the profiler share this loop.
 */
import { bestRecord, type EpochRecord, type Score } from '../../runs/metrics';
import { START, type Position } from '../../runs/position';
import type { Predictions } from '../../runs/predictions';
import { lookingAhead, type Batch } from '../data/loader';
import { microBatch } from './gradient_accumulation';
import { epochMetrics, updateMeters } from './meters';
import type { NanGuard } from './nan_guard';
import type { Progress } from './schedules';
import type { Trainer } from './trainer';

/** A finished training step. */
export interface StepReport {
  /** Epoch, and step within it; both count from 1. */
  readonly epoch: number;
  readonly step: number;
  /** Steps since the start of training. */
  readonly globalStep: number;
  readonly learningRate: number;
  /** Means over the examples of the epoch so far: accuracy, loss, and the parts of the loss. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The part of a checkpoint that is not tensors. */
  readonly position: Position;
}

/** A finished and validated epoch. */
export interface EpochReport {
  readonly record: EpochRecord;
  /** Whether its validation accuracy is the best so far, or its loss where there is no accuracy. */
  readonly isBest: boolean;
  readonly predictions: Predictions | undefined;
  readonly position: Position;
}

/** The validation result of an epoch. */
interface Validation {
  readonly metrics: Score;
  readonly predictions?: Predictions | undefined;
}

export interface FitHooks {
  onEpochStart?(epoch: number): void;
  /** `'stop'` leaves the loop after this step. */
  onStep?(report: StepReport): void | 'stop' | Promise<void | 'stop'>;
  /** Called after the steps of an epoch, before validation; also if the loop is left or an epoch cannot continue. */
  onStepsEnd?(): void;
  onEpochEnd?(report: EpochReport): void | Promise<void>;
}

export interface FitOptions {
  readonly trainer: Trainer;
  readonly guard: NanGuard;
  /** The batches of an epoch (counted from 1), without the first `start` ones. */
  readonly batches: (epoch: number, start: number) => AsyncGenerator<Batch>;
  /** Examples of an epoch, and of a batch; the last batch of an epoch may be smaller. */
  readonly examples: number;
  readonly batchSize: number;
  /** Batches per optimizer step. */
  readonly accumulate: number;
  /** The learning rate of an epoch. */
  learningRate(progress: Progress): number;
  /** Number of planned epochs; if it changed during training, by step (counted from 1). */
  readonly epochs: number;
  readonly plannedEpochs?: (globalStep: number) => number;
  /** Whether training ends after these epochs. */
  isOver(history: readonly EpochRecord[]): boolean;
  /** Computes the validation metrics of an epoch; without it they are NaN. */
  validate?(): Promise<Validation>;
  /** Where training resumes; the beginning by default. */
  readonly position?: Position;
  readonly hooks?: FitHooks;
}

const UNKNOWN: Score = { accuracy: NaN, loss: NaN };

/** Trains until `isOver`, or until a hook stops it. Returns the position, and whether training is over. */
export async function fit(options: FitOptions): Promise<{ position: Position; isOver: boolean }> {
  const { trainer, guard, examples, batchSize, epochs, plannedEpochs = () => epochs } = options;
  const { hooks = {} } = options;
  const stepsPerEpoch = Math.ceil(examples / batchSize);
  let from: Position = options.position ?? START;
  const history = [...from.history];
  // Epochs that were done without a record of them.
  const before = from.epoch - history.length;
  const positionAfter = (): Position => ({
    epoch: before + history.length,
    step: 0,
    sums: {},
    history,
    ...guard.position,
  });

  while (!options.isOver(history)) {
    const epoch = before + history.length + 1;
    let { step, sums } = from;
    from = START;
    await guard.onEpochStart(step, history);
    hooks.onEpochStart?.(epoch);
    const rateFor = (planned: number) => guard.rate * options.learningRate({ epoch, epochs: planned, history });
    let learningRate = rateFor(epochs);

    for await (const batch of lookingAhead(options.batches(epoch, step))) {
      const globalStep = (epoch - 1) * stepsPerEpoch + step + 1;
      const planned = plannedEpochs(globalStep);
      learningRate = rateFor(planned);
      const micro = microBatch(epoch, step, options);
      const results = await guard.step(batch, { step: globalStep, epoch, epochs: planned, learningRate, micro });
      if (guard.isHalted) break;
      step++;
      // Metrics are means over examples: a batch counts by its size.
      if (results) sums = updateMeters(sums, results, batch.size);
      const position = { epoch: epoch - 1, step, sums, history, ...guard.position };
      const report = { epoch, step, globalStep, learningRate, metrics: epochMetrics(sums), position };
      if ((await hooks.onStep?.(report)) === 'stop') {
        hooks.onStepsEnd?.();
        return { position, isOver: false };
      }
    }
    hooks.onStepsEnd?.();
    if (guard.isHalted) {
      await guard.recover();
      continue;
    }

    await trainer.state.toHost();
    const { metrics: val, predictions }: Validation = (await options.validate?.()) ?? { metrics: UNKNOWN };
    if (options.validate) guard.onValidation(epoch, val);
    if (guard.isHalted) {
      await guard.recover();
      continue;
    }
    const record = { epoch, learning_rate: learningRate, train: epochMetrics(sums), val, ...guard.record(history) };
    history.push(record);
    const isBest = bestRecord(history) === record;
    await hooks.onEpochEnd?.({ record, isBest, predictions, position: positionAfter() });
  }
  return { position: positionAfter(), isOver: true };
}
