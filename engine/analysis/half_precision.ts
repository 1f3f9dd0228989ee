/**
 * Mixed precision (Micikevicius et al. 2018, "Mixed Precision Training"): convolutions and matrix products in float16, as well
 * as nodes that only rearrange their operands; everything else, and all states, in float32.
 */
import type { Graph, Node } from '../graph';
import { rewrite } from '../onnx/rewrite';
import type { Tensor } from '../tensor';

const products = ['Conv', 'ConvTranspose', 'FusedMatMul', 'Gemm', 'MatMul'];
const arrangements = ['Concat', 'Expand', 'Gather', 'Pad', 'Reshape', 'Slice', 'Transpose'];

/** ONNX's numbers of element types. */
const FLOAT = 1;
const FLOAT16 = 10;

/** A copy of the graph in mixed precision. In it float16 tensors are declared with the type of what they replace, float32. */
export function inHalfPrecision(graph: Graph): Graph {
  const half = halfNodes(graph);
  const halves = new Map<Tensor, Tensor>();
  return rewrite(graph, (node, rewriter) => {
    if (!half.has(node)) return undefined;
    const inputs = node.inputs.map((input) => {
      if (input?.dtype !== 'float32') return input && rewriter.lookup(input);
      if (!halves.has(input)) halves.set(input, cast(rewriter.lookup(input), FLOAT16));
      return halves.get(input);
    });
    const { opType, domain, attributes, outputs } = node;
    const [result] = rewriter.target.emitMany(opType, inputs, outputs, { domain, attributes });
    halves.set(outputs[0]!, result!);
    return [cast(result!, FLOAT)];
  });
}

/** Products, and rearrangements of float32 that only these read. */
function halfNodes(graph: Graph): ReadonlySet<Node> {
  const half = new Set<Node>();
  const keptWhole = new Set<Tensor>([...graph.outputs.values(), ...graph.updates.values()]);
  for (const node of graph.nodes.toReversed()) {
    const [result] = node.outputs;
    const isArrangement = arrangements.includes(node.opType) && result!.dtype === 'float32';
    if (products.includes(node.opType) || (isArrangement && !keptWhole.has(result!))) half.add(node);
    else for (const input of node.inputs) if (input) keptWhole.add(input);
  }
  return half;
}

function cast(x: Tensor, to: number): Tensor {
  return x.graph.emit('Cast', [x], x.shape, { attributes: { to } });
}
