/** Reverse-mode differentiation: the chain rule along the tape, whose result is more nodes of the same graph. */
import { ndarray } from '../formats/ndarray';
import { formatShape, sameShape, type Tensor } from './tensor';

/**
 * Emits the gradients of a scalar `loss` with respect to each of `wrt`, in that order; each has the shape of its tensor.
 * Throws if the loss is not a scalar, or if it does not depend on one of the tensors.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  const { graph } = loss;
  if (loss.shape.length !== 0) throw new Error(`gradients: loss must be a scalar, got ${formatShape(loss.shape)}`);

  const wanted = new Set<Tensor>(wrt);
  const tape = [...graph.tape];
  for (const { output, inputs } of tape) if (inputs.some((input) => wanted.has(input))) wanted.add(output);

  const grads = new Map<Tensor, Tensor>([[loss, graph.constant(ndarray('float32', [], Float32Array.of(1)))]]);
  for (const { output, inputs, backward } of tape.reverse()) {
    const grad = grads.get(output);
    if (!grad || !wanted.has(output)) continue;
    const needs = inputs.map((input) => wanted.has(input));
    const contributions = graph.scope(`grad/${output.name}`, () => backward(grad, needs));
    inputs.forEach((input, i) => {
      const contribution = contributions[i];
      if (!needs[i] || !contribution) return;
      if (!sameShape(contribution.shape, input.shape)) {
        throw new Error(
          `gradients: ${output.name} returned ${formatShape(contribution.shape)} for ` +
            `${input.name} of shape ${formatShape(input.shape)}`,
        );
      }
      const sum = grads.get(input);
      const added = () => graph.emit('Add', [sum, contribution], input.shape);
      grads.set(input, sum ? graph.scope(`grad/${input.name}`, added) : contribution);
    });
  }
  return wrt.map((tensor) => {
    const grad = grads.get(tensor);
    if (!grad) throw new Error(`gradients: the loss does not depend on "${tensor.name}"`);
    return grad;
  });
}

/** The loss itself and all tensors that it depends on through differentiable operators. */
export function ancestors(loss: Tensor): Set<Tensor> {
  const found = new Set<Tensor>([loss]);
  for (const { output, inputs } of [...loss.graph.tape].reverse()) {
    if (found.has(output)) for (const input of inputs) found.add(input);
  }
  return found;
}
