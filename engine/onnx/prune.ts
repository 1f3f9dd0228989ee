/** Dead code elimination: nodes and constants that no output and no new state depends on. */
import type { Graph, Node } from '../graph';
import type { Tensor } from '../tensor';

/** Removes these nodes and constants from the graph, in place. */
export function prune(graph: Graph): void {
  const needed = new Set<Tensor>([...graph.outputs.values(), ...graph.updates.values()]);
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    kept.push(node);
    for (const input of node.inputs) if (input) needed.add(input);
  }
  graph.nodes.splice(0, graph.nodes.length, ...kept.reverse());
  for (const tensor of graph.constants.keys()) if (!needed.has(tensor)) graph.constants.delete(tensor);
}
