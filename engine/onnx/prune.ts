/** What a graph has but does not need: nodes and constants that no output or new state depends on, and idle reshapes. */
import type { Graph, Node } from '../graph';
import { sameShape, type Tensor } from '../tensor';

/** Removes them from the graph. */
export function prune(graph: Graph): void {
  const nodes = straightened(graph.nodes);
  const needed = new Set<Tensor>([...graph.outputs.values(), ...graph.updates.values()]);
  const kept: Node[] = [];
  for (const node of nodes.reverse()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    kept.push(node);
    for (const input of node.inputs) if (input) needed.add(input);
  }
  graph.nodes.splice(0, graph.nodes.length, ...kept.reverse());
  for (const tensor of graph.constants.keys()) if (!needed.has(tensor)) graph.constants.delete(tensor);
}

/** The nodes with reshapes of reshapes made at once, and none read that changes nothing. */
function straightened(nodes: readonly Node[]): Node[] {
  /** What a reshaped tensor was before any reshape. */
  const before = new Map<Tensor, Tensor>();
  return nodes.map((node) => {
    const inputs = node.inputs.map((input) => {
      const origin = input && before.get(input);
      return origin && (node.opType === 'Reshape' || sameShape(origin.shape, input.shape)) ? origin : input;
    });
    if (node.opType === 'Reshape') before.set(node.outputs[0]!, inputs[0]!);
    return { ...node, inputs };
  });
}
