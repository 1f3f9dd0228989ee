/**
 * The masks of ReLUs, [x > 0] as 0.0 or 1.0, in one pass over memory. HardSigmoid, min(max(α x + β, 0), 1), with the largest α has
 * the bits of Greater and Cast for all normal numbers, and subnormal ones are zeros to the CPU's sessions.
 */
import type { Graph, Node } from '../graph';
import { prune } from '../onnx/prune';
import { rewrite } from '../onnx/rewrite';
import type { Tensor } from '../tensor';

/** α · x is at least 1 for all normal x > 0: the smallest is 1.2e-38. */
const STEEP = { alpha: { float: 3e38 }, beta: { float: 0 } };

/** The same graph, in which a float32 mask of what is above zero is one node. */
export function oneNodeMasks(source: Graph): Graph {
  const aboveZero = new Map<Tensor, Tensor>();
  for (const { opType, inputs, outputs } of source.nodes) {
    const [x, bound] = inputs;
    if (opType === 'Greater' && x?.dtype === 'float32' && isZero(source, bound)) aboveZero.set(outputs[0]!, x);
  }
  const maskedBy = ({ opType, inputs, outputs }: Node) =>
    opType === 'Cast' && outputs[0]!.dtype === 'float32' ? aboveZero.get(inputs[0]!) : undefined;
  if (!source.nodes.some(maskedBy)) return source;
  const target = rewrite(source, (node, rewriter) => {
    const x = maskedBy(node);
    return x && [rewriter.target.emit('HardSigmoid', [rewriter.lookup(x)], x.shape, { attributes: STEEP })];
  });
  prune(target);
  return target;
}

function isZero(graph: Graph, tensor: Tensor | undefined): boolean {
  const constant = tensor && graph.constants.get(tensor);
  return constant?.data.length === 1 && Number(constant.data[0]) === 0;
}
