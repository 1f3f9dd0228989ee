/** Matrix products. */
import { formatShape, type Tensor } from '../tensor';

/** (m, k) · (k, n) → (m, n). */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[1] !== b.shape[0]) {
    throw new Error(`matmul: needs (m, k) and (k, n), got ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  }
  const shape = [a.shape[0]!, b.shape[1]!];
  return a.graph.derive(a.graph.emit('MatMul', [a, b], shape), [a, b], (grad, needs) => [
    needs[0] ? gemm(grad, b, { transB: true }) : undefined,
    needs[1] ? gemm(a, grad, { transA: true }) : undefined,
  ]);
}

/** x Wᵀ + b for x (N, in), weight (out, in), bias (out): PyTorch's Linear. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [features, inputs] = weight.shape;
  if (x.shape.length !== 2 || x.shape[1] !== inputs) {
    throw new Error(`linear: input must be (N, ${inputs}), got ${formatShape(x.shape)}`);
  }
  const y = x.graph.emit('Gemm', bias ? [x, weight, bias] : [x, weight], [x.shape[0]!, features!], {
    attributes: { transB: 1 },
  });
  return x.graph.derive(y, bias ? [x, weight, bias] : [x, weight], (grad, needs) => [
    needs[0] ? gemm(grad, weight) : undefined,
    needs[1] ? gemm(grad, x, { transA: true }) : undefined,
    needs[2]
      ? x.graph.emit('ReduceSum', [grad, x.graph.integers([0])], [features!], { attributes: { keepdims: 0 } })
      : undefined,
  ]);
}

/** Batched product of the last two axes without an entry on the tape. */
export function rawMatmul(a: Tensor, b: Tensor): Tensor {
  const shape = [...a.shape.slice(0, -1), b.shape[b.shape.length - 1]!];
  return a.graph.emit('MatMul', [a, b], shape);
}

function gemm(a: Tensor, b: Tensor, { transA = false, transB = false } = {}): Tensor {
  const shape = [a.shape[transA ? 1 : 0]!, b.shape[transB ? 0 : 1]!];
  return a.graph.emit('Gemm', [a, b], shape, { attributes: { transA: transA ? 1 : 0, transB: transB ? 1 : 0 } });
}
