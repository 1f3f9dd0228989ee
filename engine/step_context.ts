/** Where training stands when a step runs: all that a scheduled input of its graph may depend on. */

/** One part of a batch that is larger than memory. */
export interface MicroBatch {
  /** The optimizer step that it belongs to, counted from 1. */
  readonly update: number;
  /** Its examples divided by those of the whole optimizer step. */
  readonly share: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** The place of a step in a training run. Steps and epochs count from 1. */
export interface StepContext {
  readonly seed: number;
  readonly step: number;
  /** Optimizer steps of this kind so far, where several kinds of steps take turns; `step` if absent. */
  readonly updates?: number;
  /** The place of this micro-batch among those of its optimizer step; undefined without gradient accumulation. */
  readonly micro?: MicroBatch | undefined;
  readonly epoch: number;
  /** Epochs planned. */
  readonly epochs: number;
  /** After the schedule, before the factor of a parameter group. */
  readonly learningRate: number;
}
