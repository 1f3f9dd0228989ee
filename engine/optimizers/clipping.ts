/** Gradient clipping by global norm (Pascanu, Mikolov & Bengio 2013), with the formula of PyTorch's clip_grad_norm_. */
import { emitElementwise } from '../ops/elementwise';
import { sumOfSquares } from '../ops/sums';
import type { Tensor } from '../tensor';

/**
 * g ← g · min(1, limit / (‖g‖ + 1e-6)) for each gradient, where ‖g‖ is the L2 norm of all of them together. `parts`, the gradients
 * themselves by default, are what the factor scales.
 */
export function clipGradNorm(grads: readonly Tensor[], limit: number, parts = grads): Tensor[] {
  const [first] = grads;
  if (!first) return [];
  const { graph } = first;
  const squares = grads.map((grad) => sumOfSquares(grad));
  const norm = graph.emit('Sqrt', [squares.reduce((total, one) => emitElementwise('Add', total, one))], []);
  const factor = emitElementwise(
    'Min',
    emitElementwise('Div', graph.scalar(limit), emitElementwise('Add', norm, graph.scalar(1e-6))),
    graph.scalar(1),
  );
  return parts.map((part) => emitElementwise('Mul', part, factor));
}
