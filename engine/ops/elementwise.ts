/** Element-wise arithmetic with NumPy's broadcasting. */
import { broadcastShape, sameShape, type Tensor } from '../tensor';

type Operand = Tensor | number;

/** a + b */
export function add(a: Operand, b: Operand): Tensor {
  return binary('Add', a, b, (grad) => [() => grad, () => grad]);
}

/** a − b */
export function sub(a: Operand, b: Operand): Tensor {
  return binary('Sub', a, b, (grad) => [() => grad, () => unary('Neg', grad)]);
}

/** a · b */
export function mul(a: Operand, b: Operand): Tensor {
  return binary('Mul', a, b, (grad, x, y) => [
    () => emitElementwise('Mul', grad, y),
    () => emitElementwise('Mul', grad, x),
  ]);
}

/** a / b;  ∂/∂b = −(a/b)/b */
export function div(a: Operand, b: Operand): Tensor {
  return binary('Div', a, b, (grad, _, y, quotient) => [
    () => emitElementwise('Div', grad, y),
    () => unary('Neg', emitElementwise('Mul', grad, emitElementwise('Div', quotient, y))),
  ]);
}

/** −x */
export function neg(x: Tensor): Tensor {
  return x.graph.vjp(unary('Neg', x), [x], (grad) => [unary('Neg', grad)]);
}

/** eˣ */
export function exp(x: Tensor): Tensor {
  const y = unary('Exp', x);
  return x.graph.vjp(y, [x], (grad) => [emitElementwise('Mul', grad, y)]);
}

/** ln x */
export function log(x: Tensor): Tensor {
  return x.graph.vjp(unary('Log', x), [x], (grad) => [emitElementwise('Div', grad, x)]);
}

/** √x;  ∂ = 1 / (2√x) */
export function sqrt(x: Tensor): Tensor {
  const y = unary('Sqrt', x);
  return x.graph.vjp(y, [x], (grad) => [emitElementwise('Div', emitElementwise('Mul', grad, x.graph.scalar(0.5)), y)]);
}

/** x², by one product. */
export function square(x: Tensor): Tensor {
  return mul(x, x);
}

/** |x|, with gradient 0 at 0. */
export function abs(x: Tensor): Tensor {
  return x.graph.vjp(unary('Abs', x), [x], (grad) => [emitElementwise('Mul', grad, unary('Sign', x))]);
}

/** x² / 2 where |x| < 1, |x| − 1/2 elsewhere (Huber 1964; PyTorch's smooth_l1);  ∂ = c = min(max(x, −1), 1), value c (x − c/2) */
export function smoothL1(x: Tensor): Tensor {
  const { graph } = x;
  const c = graph.emit('Clip', [x, graph.scalar(-1), graph.scalar(1)], x.shape);
  const y = emitElementwise('Mul', c, emitElementwise('Sub', x, emitElementwise('Mul', c, graph.scalar(0.5))));
  return graph.vjp(y, [x], (grad) => [emitElementwise('Mul', grad, c)]);
}

/** A product, sum, … of existing tensors without an entry on the tape. */
export function emitElementwise(opType: string, a: Tensor, b: Tensor): Tensor {
  return a.graph.emit(opType, [a, b], broadcastShape(opType.toLowerCase(), a.shape, b.shape));
}

/** Sums a gradient over the axes along which an operand of this shape was broadcast. */
function sumTo(grad: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(grad.shape, shape)) return grad;
  const { graph } = grad;
  const lead = grad.shape.length - shape.length;
  const axes = grad.shape.map((_, axis) => axis).filter((axis) => axis < lead || shape[axis - lead] === 1);
  const kept = grad.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const sum = graph.emit('ReduceSum', [grad, graph.integers(axes)], kept, { attributes: { keepdims: 1 } });
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

/** x as a value that no gradient flows into. */
export function detach(x: Tensor): Tensor {
  return x.graph.emit('Identity', [x], x.shape);
}

/** x, whose gradient is turned round: ∂x = −factor · g for a scalar factor (Ganin & Lempitsky 2015). */
export function reverseGradient(x: Tensor, factor: Operand = 1): Tensor {
  const { graph } = x;
  const scale = typeof factor === 'number' ? graph.scalar(factor) : factor;
  return graph.vjp(detach(x), [x], (grad) => [unary('Neg', emitElementwise('Mul', grad, scale))]);
}
