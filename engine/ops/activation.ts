/** Activations, element by element. At a kink the gradient is PyTorch's, as each formula says. */
import type { Tensor } from '../tensor';
import { emitElementwise, sumTo } from './elementwise';

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

/** x / (1 + e⁻ˣ), also called swish;  with s = 1 / (1 + e⁻ˣ): ∂ = s (1 + x (1 − s)) */
export function silu(x: Tensor): Tensor {
  const { graph } = x;
  const s = graph.emit('Sigmoid', [x], x.shape);
  return graph.vjp(times(x, s), [x], (grad) => [
    times(grad, times(s, plus(times(x, emitElementwise('Sub', graph.scalar(1), s)), graph.scalar(1)))),
  ]);
}

/**
 * x Φ(x), Φ being the cumulative distribution of N(0, 1) (Hendrycks & Gimpel 2016);  ∂ = Φ(x) + x e^(−x²/2) / √(2π)
 */
export function gelu(x: Tensor): Tensor {
  const { graph } = x;
  const error = graph.emit('Erf', [times(x, graph.scalar(Math.SQRT1_2))], x.shape);
  const phi = plus(times(error, graph.scalar(0.5)), graph.scalar(0.5));
  return graph.vjp(times(x, phi), [x], (grad) => {
    const bell = graph.emit('Exp', [times(times(x, x), graph.scalar(-0.5))], x.shape);
    return [times(grad, plus(phi, times(times(x, bell), graph.scalar(1 / Math.sqrt(2 * Math.PI)))))];
  });
}

/** Its approximation x (1 + t) / 2 with t = tanh(√(2/π) (x + 0.044715 x³)). */
export function geluTanh(x: Tensor): Tensor {
  const { graph } = x;
  const [a, b] = [Math.sqrt(2 / Math.PI), 0.044715];
  const squares = times(x, x);
  const inner = times(times(x, graph.scalar(a)), plus(times(squares, graph.scalar(b)), graph.scalar(1)));
  const t = graph.emit('Tanh', [inner], x.shape);
  const half = plus(times(t, graph.scalar(0.5)), graph.scalar(0.5));
  return graph.vjp(times(x, half), [x], (grad) => {
    const slope = plus(times(squares, graph.scalar(3 * a * b)), graph.scalar(a));
    const rise = emitElementwise('Sub', graph.scalar(1), times(t, t));
    return [times(grad, plus(half, times(times(times(x, rise), slope), graph.scalar(0.5))))];
  });
}

/** min(max(α x + β, 0), 1) (PyTorch: α = 1/6, β = 1/2) */
export function hardSigmoid(x: Tensor, alpha = 1 / 6, beta = 0.5): Tensor {
  const { graph } = x;
  const line = plus(times(x, graph.scalar(alpha)), graph.scalar(beta));
  const y = graph.emit('Clip', [line, graph.scalar(0), graph.scalar(1)], x.shape);
  return graph.vjp(y, [x], (grad) => [times(grad, times(inside(line), graph.scalar(alpha)))]);
}

/** x min(max(x/6 + 1/2, 0), 1) (Howard et al. 2019, "Searching for MobileNetV3") */
export function hardSwish(x: Tensor): Tensor {
  const { graph } = x;
  const line = plus(times(x, graph.scalar(1 / 6)), graph.scalar(0.5));
  const gate = graph.emit('Clip', [line, graph.scalar(0), graph.scalar(1)], x.shape);
  return graph.vjp(times(x, gate), [x], (grad) => [
    times(grad, plus(gate, times(inside(line), times(x, graph.scalar(1 / 6))))),
  ]);
}

/** x tanh(ln(1 + eˣ)) (Misra 2019) */
export function mish(x: Tensor): Tensor {
  const { graph } = x;
  const t = graph.emit('Tanh', [graph.emit('Softplus', [x], x.shape)], x.shape);
  return graph.vjp(times(x, t), [x], (grad) => {
    const rise = times(emitElementwise('Sub', graph.scalar(1), times(t, t)), graph.emit('Sigmoid', [x], x.shape));
    return [times(grad, plus(t, times(x, rise)))];
  });
}

/** γ x where x > 0, γ α (eˣ − 1) elsewhere (Clevert et al. 2015; with γ and α of Klambauer et al. 2017: SELU) */
export function elu(x: Tensor, { alpha = 1, gamma = 1 }: { alpha?: number; gamma?: number } = {}): Tensor {
  const { graph } = x;
  const negative = graph.emit('Clip', [x, graph.scalar(-Infinity), graph.scalar(0)], x.shape);
  const power = graph.emit('Exp', [negative], x.shape);
  const below = times(emitElementwise('Sub', power, graph.scalar(1)), graph.scalar(alpha));
  const y = times(plus(graph.emit('Relu', [x], x.shape), below), graph.scalar(gamma));
  return graph.vjp(y, [x], (grad) => {
    const positive = graph.emit('Greater', [x, graph.scalar(0)], x.shape, { dtype: 'bool' });
    const slopes = [positive, graph.scalar(gamma), times(power, graph.scalar(alpha * gamma))];
    return [times(grad, graph.emit('Where', slopes, x.shape, { dtype: 'float32' }))];
  });
}

/** x where x > 0, slope · x elsewhere, for a trained slope that broadcasts (He et al. 2015) */
export function prelu(x: Tensor, slope: Tensor): Tensor {
  const { graph } = x;
  const negative = graph.emit('Clip', [x, graph.scalar(-Infinity), graph.scalar(0)], x.shape);
  const y = plus(graph.emit('Relu', [x], x.shape), times(negative, slope));
  return graph.vjp(y, [x, slope], (grad, needs) => {
    const isPositive = graph.emit('Greater', [x, graph.scalar(0)], x.shape, { dtype: 'bool' });
    const factor = graph.emit('Where', [isPositive, graph.scalar(1), slope], x.shape, { dtype: 'float32' });
    return [
      needs[0] ? times(grad, factor) : undefined,
      needs[1] ? sumTo(times(grad, negative), slope.shape) : undefined,
    ];
  });
}

/** 1 where a value is between 0 and 1, 0 elsewhere. */
function inside(line: Tensor): Tensor {
  return times(indicator('Greater', line, 0), indicator('Less', line, 1));
}

function times(a: Tensor, b: Tensor): Tensor {
  return emitElementwise('Mul', a, b);
}

function plus(a: Tensor, b: Tensor): Tensor {
  return emitElementwise('Add', a, b);
}

/** 1.0 where x > bound ('Greater') or x < bound ('Less'), 0.0 elsewhere, in the shape of x. No gradient flows through it. */
export function indicator(comparison: 'Greater' | 'Less', x: Tensor, bound: number): Tensor {
  const { graph } = x;
  const holds = graph.emit(comparison, [x, graph.scalar(bound)], x.shape, { dtype: 'bool' });
  return graph.emit('Cast', [holds], x.shape, { dtype: 'float32', attributes: { to: 1 } });
}
