/** Which nodes of a model depend on which. */
import type { OnnxNode } from './read';

type Reader = Pick<OnnxNode, 'inputs' | 'outputs' | 'bodies'>;

/** The numbers of all nodes that the values with these names depend on. */
export function ancestors({ nodes }: { readonly nodes: readonly Reader[] }, names: readonly string[]): Set<number> {
  const makers = new Map(nodes.flatMap(({ outputs }, number) => outputs.map((name) => [name, number] as const)));
  const found = new Set<number>();
  const waiting = [...names];
  while (waiting.length > 0) {
    const number = makers.get(waiting.pop()!);
    if (number === undefined || found.has(number)) continue;
    found.add(number);
    for (const name of readBy(nodes[number]!)) waiting.push(name);
  }
  return found;
}

/** These nodes and all nodes in the graphs inside them, at any depth. */
export function everyNode(nodes: readonly OnnxNode[]): OnnxNode[] {
  return nodes.flatMap((node) => [node, ...everyNode((node.bodies ?? []).flatMap((body) => body.nodes))]);
}

/** The names that a node and the graphs inside it read; the latter may refer to values outside of them. */
function readBy({ inputs, bodies = [] }: Reader): string[] {
  return [...inputs, ...bodies.flatMap(({ nodes, outputs }) => [...outputs, ...nodes.flatMap(readBy)])];
}
