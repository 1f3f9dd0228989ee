/** Options of training steps in tests. */
import { expect } from 'chai';
import type { Optimizer } from '../../engine/optimizers';
import { distillers } from '../../model/distillers';
import type { Method, TrainingOptions } from '../../model/training/step_graph';
import { mistakes } from '../../utils/schema';

/** A method with its options, filled. */
export function method(name: string, given: object = {}): Method {
  const distiller = distillers[name]!;
  const options = { ...given };
  expect(
    mistakes({ type: 'object', properties: distiller.options, additionalProperties: false }, options),
  ).to.deep.equal([]);
  return { name, distiller, options };
}

/** Steps of a student alone, or by the methods that `changes` name. */
export function trainingOptions(
  optimizer: Optimizer,
  batchSize: number,
  changes: Partial<Omit<TrainingOptions, 'teacher'>> = {},
): Omit<TrainingOptions, 'teacher'> {
  return {
    batchSize,
    seed: 0,
    methods: [method('nokd')],
    examples: batchSize,
    optimizer,
    alpha: 0.9,
    temperature: 4,
    klReduction: 'batchmean',
    ...changes,
  };
}
