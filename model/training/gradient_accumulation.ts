/**
 * Gradient accumulation: which micro-batches form an optimizer step, as a function of their position in the training.
 */
import type { MicroBatch } from '../../engine/step_context';

export interface Accumulation {
  /** Examples per epoch, and per micro-batch except the last of an epoch. */
  readonly examples: number;
  readonly batchSize: number;
  /** Micro-batches per optimizer step; the last step of an epoch may have fewer. */
  readonly accumulate: number;
}

/** Micro-batch number `step` of an epoch, from 0, in epoch number `epoch`, from 1; undefined if each is a step. */
export function microBatch(epoch: number, step: number, options: Accumulation): MicroBatch | undefined {
  const { examples, batchSize, accumulate } = options;
  if (accumulate === 1) return undefined;
  const group = Math.floor(step / accumulate);
  const groupSize = batchSize * accumulate;
  const size = Math.min(batchSize, examples - step * batchSize);
  return {
    update: (epoch - 1) * Math.ceil(examples / groupSize) + group + 1,
    share: size / Math.min(groupSize, examples - group * groupSize),
    isFirst: step % accumulate === 0,
    isLast: (step + 1) % accumulate === 0 || (step + 1) * batchSize >= examples,
  };
}
