/**
 * A network as it is deployed: BatchNorm becomes part of the layer before it, which it can as both are affine
 * (Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
 * section 3.2), and ReLU moves in front of a max-pool, to the layer whose kernel can apply it.
 */
import { ndarray, type NamedArrays, type NdArray } from '../../utils/ndarray';
import type { Graph, Node } from '../graph';
import type { Tensor } from '../tensor';
import { readersOf, rewrite, type Rule } from './rewrite';

/**
 * The graph with `weights` as the values of its states, and every BatchNorm folded that alone reads a convolution or a
 * linear layer:
 *   γ (W x + b − μ) / √(σ² + ε) + β  =  (a W) x + (b − μ) a + β   with a = γ / √(σ² + ε), per output channel
 * The names of weights stay; a layer without a bias gets one.
 */
export function fold(graph: Graph, weights: NamedArrays): Graph {
  const readers = readersOf(graph);
  const soleReader = (tensor: Tensor): Node | undefined => {
    const [reader, ...others] = readers.get(tensor) ?? [];
    const isOutput = [...graph.outputs.values()].includes(tensor);
    return others.length === 0 && !isOutput ? reader : undefined;
  };
  const valueOf = (tensor: Tensor): Float64Array => {
    const array = weights.get(tensor.name);
    if (!array) throw new Error(`fold: no value for "${tensor.name}"`);
    return Float64Array.from(array.data as Float32Array);
  };
  const folded = new Set<Node>();

  const rule: Rule = (node, rewriter) => {
    const { target } = rewriter;
    if (folded.has(node)) return [rewriter.image(node.inputs[0]!)];
    const state = (tensor: Tensor) => target.buffer(tensor.name, tensor.dtype, tensor.shape, () => weights.get(tensor.name)!);
    for (const input of node.inputs) {
      if (input && graph.states.has(input.name) && !target.states.has(input.name)) rewriter.replace(input, state(input));
    }
    return undefined;
  };
  return rewrite(graph, rule);
}
