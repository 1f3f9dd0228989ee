/** Gradient accumulation: the gradient of a large batch from micro-batches, kept in the state between their steps. */
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { moment, OPTIMIZER_PREFIX } from './optimizer';

/**
 * G ← keep · G + share · g, with keep 0 for the first micro-batch of an optimizer step and 1 for the others, and share
 * the examples of the micro-batch by those of the step: where losses are means over examples, the last G is the gradient
 * on all of them.
 */
export function accumulated(parameter: Tensor, grad: Tensor): { readonly old: Tensor; readonly next: Tensor } {
  const { graph } = parameter;
  const keep = graph.hostScalar(`${OPTIMIZER_PREFIX}keep`, ({ micro }) => (micro && !micro.isFirst ? 1 : 0));
  const share = graph.hostScalar(`${OPTIMIZER_PREFIX}share`, ({ micro }) => micro?.share ?? 1);
  const old = moment(parameter, 'accumulated');
  return { old, next: emitElementwise('Add', emitElementwise('Mul', old, keep), emitElementwise('Mul', grad, share)) };
}
