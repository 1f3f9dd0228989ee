/** Matrix products. Shapes that do not fit throw. */
import { sizeOf } from '../../formats/ndarray';
import { broadcastShape, formatShape, sameShape, type Tensor } from '../tensor';
import { sumTo } from './elementwise';
import { emitReshape } from './shape';
import { emitReduction } from './sums';

/** y = a b in the last two axes: (…, m, k) · (…, k, n) → (…, m, n), axes in front broadcast;  ∂a = g bᵀ, ∂b = aᵀ g. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.shape.length < 2 || b.shape.length < 2 || a.shape.at(-1) !== b.shape.at(-2)) {
    throw new Error(`matmul: needs (…, m, k) and (…, k, n), got ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  }
  return a.shape.length === 2 && b.shape.length === 2 ? matrixProduct(a, b) : batchedProduct(a, b);
}

function batchedProduct(a: Tensor, b: Tensor): Tensor {
  const front = broadcastShape('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [m, k, n] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
  return a.graph.vjp(a.graph.emit('MatMul', [a, b], [...front, m, n]), [a, b], (grad, needs) => {
    const toB = () => {
      if (b.shape.length > 2) return sumTo(fused(a, grad, [...front, k, n], 'transA'), b.shape);
      // One matrix for all: its gradient is one product over all rows.
      const rows = sizeOf(a.shape) / k;
      return gemm(emitReshape(a, [rows, k]), emitReshape(grad, [rows, n]), { transA: true });
    };
    return [
      needs[0] ? sumTo(fused(grad, b, [...front, m, k], 'transB'), a.shape) : undefined,
      needs[1] ? toB() : undefined,
    ];
  });
}

function matrixProduct(a: Tensor, b: Tensor): Tensor {
  const shape = [a.shape[0]!, b.shape[1]!];
  return a.graph.vjp(a.graph.emit('MatMul', [a, b], shape), [a, b], (grad, needs) => [
    needs[0] ? gemm(grad, b, { transB: true }) : undefined,
    needs[1] ? gemm(a, grad, { transA: true }) : undefined,
  ]);
}

/**
 * y = x Wᵀ + b: x (N, in), weight (out, in), bias (out) → (N, out), as PyTorch's Linear; with axes in between, each row by
 * itself;  ∂x = g W, ∂W = gᵀ x, ∂b = Σ_n g.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [features = 0, inputs] = weight.shape;
  if (x.shape.length < 2 || x.shape.at(-1) !== inputs) {
    throw new Error(`linear: input must be (N, ${inputs}), got ${formatShape(x.shape)}`);
  }
  const rows = asRows(x);
  const product = x.graph.emit('Gemm', bias ? [rows, weight, bias] : [rows, weight], [rows.shape[0]!, features], {
    attributes: { transB: 1 },
  });
  const y = fromRows(product, [...x.shape.slice(0, -1), features]);
  return x.graph.vjp(y, bias ? [x, weight, bias] : [x, weight], (gradient, needs) => {
    const grad = asRows(gradient);
    return [
      needs[0] ? fromRows(gemm(grad, weight), x.shape) : undefined,
      needs[1] ? gemm(grad, asRows(x), { transA: true }) : undefined,
      needs[2] ? emitReduction('ReduceSum', grad, [0], false) : undefined,
    ];
  });
}

/** (N, …, k) → (N · …, k), for any N. */
function asRows(x: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  return x.shape.length === 2 ? x : reshapeFirst(x, [sizeOf(x.shape) / width, width]);
}

/** What `asRows` made, in this shape. */
function fromRows(rows: Tensor, shape: readonly number[]): Tensor {
  return shape.length === 2 ? rows : reshapeFirst(rows, shape);
}

/** Another shape, whose first length follows at run time from the others. */
function reshapeFirst(x: Tensor, shape: readonly number[]): Tensor {
  return x.graph.emit('Reshape', [x, x.graph.integers([-1, ...shape.slice(1)])], shape);
}

/** y = a bᵀ in the last two axes: (…, m, k) · (…, n, k) → (…, m, n), leading axes being equal;  ∂a = g b, ∂b = gᵀ a. */
export function matmulTransposed(a: Tensor, b: Tensor): Tensor {
  const [batch, other] = [a, b].map(({ shape }) => shape.slice(0, -2));
  if (a.shape.length < 2 || !sameShape(batch!, other!) || a.shape.at(-1) !== b.shape.at(-1)) {
    throw new Error(
      `matmulTransposed: needs (…, m, k) and (…, n, k), got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  const y = fused(a, b, [...batch!, a.shape.at(-2)!, b.shape.at(-2)!], 'transB');
  return a.graph.vjp(y, [a, b], (grad, needs) => [
    needs[0] ? emitMatmul(grad, b) : undefined,
    needs[1] ? fused(grad, a, b.shape, 'transA') : undefined,
  ]);
}

/** Batched product with the last two axes of one side exchanged, without an entry on the tape. */
function fused(a: Tensor, b: Tensor, shape: readonly number[], side: 'transA' | 'transB'): Tensor {
  return a.graph.emit('FusedMatMul', [a, b], shape, { domain: 'com.microsoft', attributes: { [side]: 1 } });
}

/** a b in the last two axes: (…, m, k) · (…, k, n) → (…, m, n), without an entry on the tape. */
export function emitMatmul(a: Tensor, b: Tensor): Tensor {
  const shape = [...a.shape.slice(0, -1), b.shape[b.shape.length - 1]!];
  return a.graph.emit('MatMul', [a, b], shape);
}

function gemm(a: Tensor, b: Tensor, { transA = false, transB = false } = {}): Tensor {
  const shape = [a.shape[transA ? 1 : 0]!, b.shape[transB ? 0 : 1]!];
  return a.graph.emit('Gemm', [a, b], shape, { attributes: { transA: transA ? 1 : 0, transB: transB ? 1 : 0 } });
}
