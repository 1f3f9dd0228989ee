/** Activations. Gradients at a kink follow PyTorch: 0 at the lower one, 0 at and above the upper one. */
import { emitElementwise } from './elementwise';
import type { Tensor } from '../tensor';

/** max(x, 0) */
export function relu(x: Tensor): Tensor {
  const y = x.graph.emit('Relu', [x], x.shape);
  return x.graph.vjp(y, [x], (grad) => [emitElementwise('Mul', grad, indicator('Greater', y, 0))]);
}

/** min(max(x, 0), 6) */
export function relu6(x: Tensor): Tensor {
  const y = x.graph.emit('Clip', [x, x.graph.scalar(0), x.graph.scalar(6)], x.shape);
  return x.graph.vjp(y, [x], (grad) => [
    emitElementwise('Mul', emitElementwise('Mul', grad, indicator('Greater', y, 0)), indicator('Less', y, 6)),
  ]);
}

/** x where x > 0, slope · x elsewhere */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  const y = x.graph.emit('LeakyRelu', [x], x.shape, { attributes: { alpha: { float: slope } } });
  return x.graph.vjp(y, [x], (grad) => {
    const factor = emitElementwise(
      'Add',
      emitElementwise('Mul', indicator('Greater', x, 0), x.graph.scalar(1 - slope)),
      x.graph.scalar(slope),
    );
    return [emitElementwise('Mul', grad, factor)];
  });
}

/** 1 / (1 + e⁻ˣ);  ∂ = y (1 − y) */
export function sigmoid(x: Tensor): Tensor {
  const y = x.graph.emit('Sigmoid', [x], x.shape);
  return x.graph.vjp(y, [x], (grad) => [
    emitElementwise('Mul', grad, emitElementwise('Mul', y, emitElementwise('Sub', x.graph.scalar(1), y))),
  ]);
}

/** tanh x;  ∂ = 1 − y² */
export function tanh(x: Tensor): Tensor {
  const y = x.graph.emit('Tanh', [x], x.shape);
  return x.graph.vjp(y, [x], (grad) => [
    emitElementwise('Mul', grad, emitElementwise('Sub', x.graph.scalar(1), emitElementwise('Mul', y, y))),
  ]);
}

/** ln(1 + eˣ), without overflow;  ∂ = 1 / (1 + e⁻ˣ) */
export function softplus(x: Tensor): Tensor {
  const y = x.graph.emit('Softplus', [x], x.shape);
  return x.graph.vjp(y, [x], (grad) => [emitElementwise('Mul', grad, x.graph.emit('Sigmoid', [x], x.shape))]);
}

/** 1 where the comparison with `bound` holds, 0 elsewhere; no gradient flows through it. */
export function indicator(comparison: 'Greater' | 'Less', x: Tensor, bound: number): Tensor {
  const { graph } = x;
  const holds = graph.emit(comparison, [x, graph.scalar(bound)], x.shape, { dtype: 'bool' });
  return graph.emit('Cast', [holds], x.shape, { dtype: 'float32', attributes: { to: 1 } });
}
