/**
 * Folding for deployment: BatchNorm becomes part of the layer before it, as both are affine (Jacob et al. 2018,
 * "Quantization and training of neural networks for efficient integer-arithmetic-only inference", section 3.2), and a
 * ReLU after a max-pool moves before it, next to the layer whose kernel can apply it. Weights that are read in another shape
 * get it.
 */
import { ndarray, sizeOf, type NamedArrays } from '../../formats/ndarray';
import type { Graph, Node } from '../graph';
import type { Tensor } from '../tensor';
import { rewrite, soleReaders, type Rewriter } from './rewrite';

/**
 * The graph with `weights` as the values of its states and with every BatchNorm folded that is the only reader of a
 * convolution or linear layer. Weights keep their names; a layer without a bias gets one.
 */
export function fold(graph: Graph, weights: NamedArrays): Graph {
  const soleReader = soleReaders(graph);
  const absorbed = new Set<Node>();
  return rewrite(
    graph,
    (node, rewriter) => {
      if (absorbed.has(node)) return [rewriter.lookup(node.inputs[0]!)];
      const [weight] = node.inputs;
      if (node.opType === 'Reshape' && graph.states.has(weight!.name) && soleReader(weight!) === node) {
        const { shape } = node.outputs[0]!;
        const reshaped = () => ndarray('float32', shape, rewriter.value(weight!)!.data as Float32Array);
        return [rewriter.target.buffer(weight!.name, 'float32', shape, reshaped)];
      }
      const next = soleReader(node.outputs[0]!);
      if (next?.opType === 'BatchNormalization' && isAffine(node) && soleReader(node.inputs[1]!) === node) {
        absorbed.add(next);
        return [foldedLayer(node, next, rewriter)];
      }
      if (next?.opType === 'Relu' && node.opType === 'MaxPool') {
        absorbed.add(next);
        const [input, output] = [rewriter.lookup(node.inputs[0]!), node.outputs[0]!];
        const { target } = rewriter;
        return [target.emit('MaxPool', [target.emit('Relu', [input], input.shape)], output.shape, node)];
      }
      return undefined;
    },
    weights,
  );
}

/** A convolution, or a linear layer with its output features along the first axis of its weight. */
function isAffine({ opType, attributes }: Node): boolean {
  return opType === 'Conv' || (opType === 'Gemm' && attributes.transB === 1);
}

/** γ (W x + b − μ) / √(σ² + ε) + β  =  (a W) x + (b − μ) a + β  with a = γ / √(σ² + ε), per output channel. */
function foldedLayer(layer: Node, batchNorm: Node, rewriter: Rewriter): Tensor {
  const [x, weight, bias] = layer.inputs as [Tensor, Tensor, Tensor | undefined];
  const [gamma, beta, mean, variance] = batchNorm.inputs.slice(1) as [Tensor, Tensor, Tensor, Tensor];
  const { float: epsilon } = batchNorm.attributes.epsilon as { float: number };
  const channels = weight.shape[0]!;
  const taps = sizeOf(weight.shape) / channels;
  const valuesOf = (tensor: Tensor) => rewriter.value(tensor)!.data as Float32Array;
  const slopes = () => {
    const sigmas = valuesOf(variance);
    return Float64Array.from(valuesOf(gamma), (value, k) => value / Math.sqrt(sigmas[k]! + epsilon));
  };
  const foldedWeight = () => {
    const a = slopes();
    return ndarray(
      'float32',
      weight.shape,
      valuesOf(weight).map((w, i) => w * a[Math.floor(i / taps)]!),
    );
  };
  const foldedBias = () => {
    const [a, means, shifts] = [slopes(), valuesOf(mean), valuesOf(beta)];
    const biases = bias ? valuesOf(bias) : new Float32Array(channels);
    return ndarray(
      'float32',
      [channels],
      biases.map((b, k) => (b - means[k]!) * a[k]! + shifts[k]!),
    );
  };
  const { target } = rewriter;
  const biasName = bias?.name ?? `${weight.name.replace(/\.weight$/, '')}.bias`;
  const inputs = [
    rewriter.lookup(x),
    target.buffer(weight.name, 'float32', weight.shape, foldedWeight),
    target.buffer(biasName, 'float32', [channels], foldedBias),
  ];
  return target.emit(layer.opType, inputs, layer.outputs[0]!.shape, layer);
}
