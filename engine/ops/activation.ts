/** Activations, element by element. At a kink the gradient is PyTorch's, as each formula says. */
import { emitElementwise } from './elementwise';
import type { Tensor } from '../tensor';

/** max(x, 0);  ∂ = [x > 0]. Any shape → the same shape. */
export function relu(x: Tensor): Tensor {
  const y = x.graph.emit('Relu', [x], x.shape);
  return x.graph.vjp(y, [x], (grad) => [emitElementwise('Mul', grad, indicator('Greater', y, 0))]);
}

/** min(max(x, 0), 6);  ∂ = [0 < x < 6]. Any shape → the same shape. */
export function relu6(x: Tensor): Tensor {
  const y = x.graph.emit('Clip', [x, x.graph.scalar(0), x.graph.scalar(6)], x.shape);
  return x.graph.vjp(y, [x], (grad) => [
    emitElementwise('Mul', emitElementwise('Mul', grad, indicator('Greater', y, 0)), indicator('Less', y, 6)),
  ]);
}

/** x where x > 0, slope · x elsewhere;  ∂ = 1 or slope. Any shape → the same shape. */
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

/** y = 1 / (1 + e⁻ˣ);  ∂ = y (1 − y). Any shape → the same shape. */
export function sigmoid(x: Tensor): Tensor {
  const y = x.graph.emit('Sigmoid', [x], x.shape);
  return x.graph.vjp(y, [x], (grad) => [
    emitElementwise('Mul', grad, emitElementwise('Mul', y, emitElementwise('Sub', x.graph.scalar(1), y))),
  ]);
}

/** y = tanh x;  ∂ = 1 − y². Any shape → the same shape. */
export function tanh(x: Tensor): Tensor {
  const y = x.graph.emit('Tanh', [x], x.shape);
  return x.graph.vjp(y, [x], (grad) => [
    emitElementwise('Mul', grad, emitElementwise('Sub', x.graph.scalar(1), emitElementwise('Mul', y, y))),
  ]);
}

/** ln(1 + eˣ), without overflow for large x;  ∂ = 1 / (1 + e⁻ˣ). Any shape → the same shape. */
export function softplus(x: Tensor): Tensor {
  const y = x.graph.emit('Softplus', [x], x.shape);
  return x.graph.vjp(y, [x], (grad) => [emitElementwise('Mul', grad, x.graph.emit('Sigmoid', [x], x.shape))]);
}

/** 1.0 where x > bound ('Greater') or x < bound ('Less'), 0.0 elsewhere, in the shape of x. No gradient flows through it. */
export function indicator(comparison: 'Greater' | 'Less', x: Tensor, bound: number): Tensor {
  const { graph } = x;
  const holds = graph.emit(comparison, [x, graph.scalar(bound)], x.shape, { dtype: 'bool' });
  return graph.emit('Cast', [holds], x.shape, { dtype: 'float32', attributes: { to: 1 } });
}
