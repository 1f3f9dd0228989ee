/**
 * Element-wise arithmetic. The binary operators broadcast as NumPy does, take a number in place of either operand, and throw
 * if the shapes do not broadcast or if neither operand is a tensor; gradients are summed over broadcast axes.
 */
import { broadcastShape, sameShape, type Tensor } from '../tensor';
import { emitReduction } from './sums';

type Operand = Tensor | number;

/** a + b;  ∂a = ∂b = g. Shapes broadcast. */
export function add(a: Operand, b: Operand): Tensor {
  return binary('Add', a, b, (grad) => [() => grad, () => grad]);
}

/** a − b;  ∂a = g, ∂b = −g. Shapes broadcast. */
export function sub(a: Operand, b: Operand): Tensor {
  return binary('Sub', a, b, (grad) => [() => grad, () => unary('Neg', grad)]);
}

/** a · b, element by element;  ∂a = g b, ∂b = g a. Shapes broadcast. */
export function mul(a: Operand, b: Operand): Tensor {
  return binary('Mul', a, b, (grad, x, y) => [
    () => emitElementwise('Mul', grad, y),
    () => emitElementwise('Mul', grad, x),
  ]);
}

/** a / b;  ∂a = g / b, ∂b = −g (a / b) / b. Shapes broadcast. */
export function div(a: Operand, b: Operand): Tensor {
  return binary('Div', a, b, (grad, _, y, quotient) => [
    () => emitElementwise('Div', grad, y),
    () => unary('Neg', emitElementwise('Mul', grad, emitElementwise('Div', quotient, y))),
  ]);
}

/** −x;  ∂ = −1. Any shape → the same shape. */
export function neg(x: Tensor): Tensor {
  return x.graph.vjp(unary('Neg', x), [x], (grad) => [unary('Neg', grad)]);
}

/** y = eˣ;  ∂ = y. Any shape → the same shape. */
export function exp(x: Tensor): Tensor {
  const y = unary('Exp', x);
  return x.graph.vjp(y, [x], (grad) => [emitElementwise('Mul', grad, y)]);
}

/** ln x;  ∂ = 1 / x. Any shape → the same shape; NaN for negative x, −∞ at 0. */
export function log(x: Tensor): Tensor {
  return x.graph.vjp(unary('Log', x), [x], (grad) => [emitElementwise('Div', grad, x)]);
}

/** √x;  ∂ = 1 / (2√x), which is infinite at 0. Any shape → the same shape. */
export function sqrt(x: Tensor): Tensor {
  const y = unary('Sqrt', x);
  return x.graph.vjp(y, [x], (grad) => [emitElementwise('Div', emitElementwise('Mul', grad, x.graph.scalar(0.5)), y)]);
}

/** x², as one product;  ∂ = 2x. Any shape → the same shape. */
export function square(x: Tensor): Tensor {
  return mul(x, x);
}

/** aᵇ;  ∂/∂a = b aᵇ⁻¹,  ∂/∂b = aᵇ ln a */
export function pow(a: Operand, b: Operand): Tensor {
  return binary('Pow', a, b, (grad, x, y, power) => [
    () => {
      const lower = emitElementwise('Pow', x, emitElementwise('Sub', y, y.graph.scalar(1)));
      return emitElementwise('Mul', grad, emitElementwise('Mul', y, lower));
    },
    () => emitElementwise('Mul', grad, emitElementwise('Mul', power, unary('Log', x))),
  ]);
}

/** 1 / x;  ∂ = −y² */
export function reciprocal(x: Tensor): Tensor {
  const y = unary('Reciprocal', x);
  return x.graph.vjp(y, [x], (grad) => [unary('Neg', emitElementwise('Mul', grad, emitElementwise('Mul', y, y)))]);
}

/** sin x */
export function sin(x: Tensor): Tensor {
  return x.graph.vjp(unary('Sin', x), [x], (grad) => [emitElementwise('Mul', grad, unary('Cos', x))]);
}

/** cos x */
export function cos(x: Tensor): Tensor {
  return x.graph.vjp(unary('Cos', x), [x], (grad) => [unary('Neg', emitElementwise('Mul', grad, unary('Sin', x)))]);
}

/** 2/√π ∫₀ˣ e^−t² dt;  ∂ = 2/√π e^−x² */
export function erf(x: Tensor): Tensor {
  const { graph } = x;
  return graph.vjp(unary('Erf', x), [x], (grad) => {
    const bell = unary('Exp', unary('Neg', emitElementwise('Mul', x, x)));
    return [emitElementwise('Mul', grad, emitElementwise('Mul', bell, graph.scalar(2 / Math.sqrt(Math.PI))))];
  });
}

/** max(a, b); equal values share the gradient evenly, as PyTorch's maximum. */
export function maximum(a: Operand, b: Operand): Tensor {
  return binary('Max', a, b, (grad, x, y) => [() => greaterShare(grad, x, y), () => greaterShare(grad, y, x)]);
}

/** min(a, b); equal values share the gradient evenly, as PyTorch's minimum. */
export function minimum(a: Operand, b: Operand): Tensor {
  return binary('Min', a, b, (grad, x, y) => [() => greaterShare(grad, y, x), () => greaterShare(grad, x, y)]);
}

/** min(max(x, low), high); the gradient passes at the bounds too, as in PyTorch's clamp. */
export function clip(x: Tensor, low = -Infinity, high = Infinity): Tensor {
  const { graph } = x;
  const y = graph.emit('Clip', [x, graph.scalar(low), graph.scalar(high)], x.shape);
  return graph.vjp(y, [x], (grad) => {
    const inside = graph.emit('Equal', [x, y], x.shape, { dtype: 'bool' });
    return [graph.emit('Where', [inside, grad, graph.scalar(0)], x.shape, { dtype: 'float32' })];
  });
}

/** a where the condition (bool) holds, b elsewhere. */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  const { graph } = condition;
  const shape = broadcastShape('where', broadcastShape('where', condition.shape, a.shape), b.shape);
  const chosen = (yes: Tensor, no: Tensor) => graph.emit('Where', [condition, yes, no], shape, { dtype: 'float32' });
  return graph.vjp(chosen(a, b), [a, b], (grad, needs) => [
    needs[0] ? sumTo(chosen(grad, graph.scalar(0)), a.shape) : undefined,
    needs[1] ? sumTo(chosen(graph.scalar(0), grad), b.shape) : undefined,
  ]);
}

/** |x|;  ∂ = sign x, 0 at 0. Any shape → the same shape. */
export function abs(x: Tensor): Tensor {
  return x.graph.vjp(unary('Abs', x), [x], (grad) => [emitElementwise('Mul', grad, unary('Sign', x))]);
}

/**
 * x² / 2 where |x| < 1, |x| − 1/2 elsewhere (Huber 1964; PyTorch's smooth_l1_loss of x and 0, without reduction). Computed as
 * c (x − c / 2) with c = min(max(x, −1), 1), which is the gradient. Any shape → the same shape.
 */
export function smoothL1(x: Tensor): Tensor {
  const { graph } = x;
  const c = graph.emit('Clip', [x, graph.scalar(-1), graph.scalar(1)], x.shape);
  const y = emitElementwise('Mul', c, emitElementwise('Sub', x, emitElementwise('Mul', c, graph.scalar(0.5))));
  return graph.vjp(y, [x], (grad) => [emitElementwise('Mul', grad, c)]);
}

/** A binary ONNX operator (`Add`, `Mul`, `Max`, …) with broadcasting, without an entry on the tape: no gradient flows through it. */
export function emitElementwise(opType: string, a: Tensor, b: Tensor): Tensor {
  return a.graph.emit(opType, [a, b], broadcastShape(opType.toLowerCase(), a.shape, b.shape));
}

/** g where a > b, g/2 where they are equal, 0 elsewhere. */
function greaterShare(grad: Tensor, a: Tensor, b: Tensor): Tensor {
  const { graph } = a;
  const holds = (comparison: string) => {
    const bools = graph.emit(comparison, [a, b], grad.shape, { dtype: 'bool' });
    return graph.emit('Cast', [bools], grad.shape, { dtype: 'float32', attributes: { to: 1 } });
  };
  const share = emitElementwise('Add', holds('Greater'), emitElementwise('Mul', holds('Equal'), graph.scalar(0.5)));
  return emitElementwise('Mul', grad, share);
}

/** Sums a gradient over the axes along which an operand of this shape was broadcast. */
export function sumTo(grad: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(grad.shape, shape)) return grad;
  const { graph } = grad;
  const lead = grad.shape.length - shape.length;
  const axes = grad.shape.map((_, axis) => axis).filter((axis) => axis < lead || shape[axis - lead] === 1);
  const sum = emitReduction('ReduceSum', grad, axes, true);
  return lead === 0 ? sum : graph.emit('Reshape', [sum, graph.integers(shape)], shape);
}

function unary(opType: string, x: Tensor): Tensor {
  return x.graph.emit(opType, [x], x.shape);
}

function binary(
  opType: string,
  a: Operand,
  b: Operand,
  rule: (grad: Tensor, a: Tensor, b: Tensor, output: Tensor) => [() => Tensor, () => Tensor],
): Tensor {
  const graph = typeof a !== 'number' ? a.graph : typeof b !== 'number' ? b.graph : undefined;
  if (!graph) throw new Error(`${opType.toLowerCase()}: one operand must be a tensor`);
  const x = typeof a === 'number' ? graph.scalar(a) : a;
  const y = typeof b === 'number' ? graph.scalar(b) : b;
  const output = emitElementwise(opType, x, y);
  return graph.vjp(output, [x, y], (grad, needs) => {
    const [gradX, gradY] = rule(grad, x, y, output);
    return [needs[0] ? sumTo(gradX(), x.shape) : undefined, needs[1] ? sumTo(gradY(), y.shape) : undefined];
  });
}

/** x as a constant to differentiation: the same values, and no gradient flows into x. Any shape → the same shape. */
export function detach(x: Tensor): Tensor {
  return x.graph.emit('Identity', [x], x.shape);
}

/**
 * x unchanged, with its gradient reversed: ∂x = −factor · g for a scalar factor (Ganin & Lempitsky 2015, "Unsupervised domain
 * adaptation by backpropagation"). Any shape → the same shape.
 */
export function reverseGradient(x: Tensor, factor: Operand = 1): Tensor {
  const { graph } = x;
  const scale = typeof factor === 'number' ? graph.scalar(factor) : factor;
  return graph.vjp(detach(x), [x], (grad) => [unary('Neg', emitElementwise('Mul', grad, scale))]);
}
