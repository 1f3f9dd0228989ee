/** Softmax and its logarithm along an axis, the last by default, stable for large logits; and classes of labels and logits. */
import type { Tensor } from '../tensor';
import { emitElementwise } from './elementwise';

/** p = eˣ / Σ eˣ along `axis`;  ∂x = p ⊙ (g − Σ g ⊙ p). Any shape → the same shape. */
export function softmax(x: Tensor, axis = x.shape.length - 1): Tensor {
  const p = rawSoftmax(x, axis);
  return x.graph.vjp(p, [x], (grad) => [
    emitElementwise('Mul', p, emitElementwise('Sub', grad, sumAlong(emitElementwise('Mul', grad, p), axis))),
  ]);
}

/** x − ln Σ eˣ along `axis`;  ∂x = g − p Σ g with p = softmax(x). Any shape → the same shape. */
export function logSoftmax(x: Tensor, axis = x.shape.length - 1): Tensor {
  const y = x.graph.emit('LogSoftmax', [x], x.shape, { attributes: { axis } });
  return x.graph.vjp(y, [x], (grad) => [
    emitElementwise('Sub', grad, emitElementwise('Mul', rawSoftmax(x, axis), sumAlong(grad, axis))),
  ]);
}

/** 1 at each label's class, 0 elsewhere: (N) int32 → (N, classes) float32; a row of zeros for a label outside. No gradient. */
export function oneHot(labels: Tensor, classes: number): Tensor {
  const { graph } = labels;
  const range = graph.emit('Cast', [graph.integers(Array.from({ length: classes }, (_, i) => i))], [classes], {
    dtype: 'int32',
    attributes: { to: 6 },
  });
  const column = graph.emit('Reshape', [labels, graph.integers([-1, 1])], [labels.shape[0]!, 1]);
  const shape = [labels.shape[0]!, classes];
  const equal = graph.emit('Equal', [column, range], shape, { dtype: 'bool' });
  return graph.emit('Cast', [equal], shape, { dtype: 'float32', attributes: { to: 1 } });
}

/** The class of the largest logit of each row, the first of equal ones: (N, C) float32 → (N) int32. No gradient. */
export function argmax(logits: Tensor): Tensor {
  const shape = [logits.shape[0]!];
  const best = logits.graph.emit('ArgMax', [logits], shape, { dtype: 'int64', attributes: { axis: 1, keepdims: 0 } });
  return logits.graph.emit('Cast', [best], shape, { dtype: 'int32', attributes: { to: 6 } });
}

function rawSoftmax(x: Tensor, axis: number): Tensor {
  return x.graph.emit('Softmax', [x], x.shape, { attributes: { axis } });
}

function sumAlong(x: Tensor, axis: number): Tensor {
  const { graph } = x;
  const shape = x.shape.map((length, i) => (i === axis ? 1 : length));
  return graph.emit('ReduceSum', [x, graph.integers([axis])], shape, { attributes: { keepdims: 1 } });
}
