/** Gradients of bounded length (Pascanu, Mikolov & Bengio 2013), to the letter of PyTorch's clip_grad_norm_. */
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';

/** g ← g · min(1, limit / (‖g‖ + 1e-6)), where ‖g‖ is the length of all gradients together. */
export function clipped(grads: readonly Tensor[], limit: number): Tensor[] {
  const [first] = grads;
  if (!first) return [];
  const { graph } = first;
  const squares = grads.map((grad) => graph.emit('ReduceSumSquare', [grad], [], { attributes: { keepdims: 0 } }));
  const norm = graph.emit('Sqrt', [squares.reduce((total, one) => emitElementwise('Add', total, one))], []);
  const factor = emitElementwise(
    'Min',
    emitElementwise('Div', graph.scalar(limit), emitElementwise('Add', norm, graph.scalar(1e-6))),
    graph.scalar(1),
  );
  return grads.map((grad) => emitElementwise('Mul', grad, factor));
}
