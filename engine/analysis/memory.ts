/** An estimate of the memory that a graph needs, before it runs. */
import { bytesPerElement, sizeOf } from '../../formats/ndarray';
import type { Graph } from '../graph';
import type { Tensor } from '../tensor';

/** Operators whose result shares the memory of their first input. */
const views = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity'];

/**
 * ONNX Runtime allocates blocks of doubling size and orders the nodes in its own way: over six networks and batches of 16 to
 * 512, processes grew by 1.4 to 2.1 times the peak of live bytes.
 */
const OVERHEAD = 2;

/** About how many bytes a process needs to run a graph on the CPU: twice `peakBytes`. */
export function neededBytes(graph: Graph): number {
  return OVERHEAD * peakBytes(graph);
}

/**
 * The peak of live bytes if nodes run in their order: inputs, states and constants, and results of nodes that are yet to be
 * read or are returned.
 */
export function peakBytes(graph: Graph): number {
  const { inputs, states, constants, outputs, updates } = graph;
  const given = new Set([...inputs.values(), ...[...states.values()].map(({ tensor }) => tensor), ...constants.keys()]);
  const owners = new Map<Tensor, Tensor>();
  const ownerOf = (x: Tensor) => owners.get(x) ?? x;
  for (const node of graph.nodes) {
    if (views.includes(node.opType) && node.inputs[0]) owners.set(node.outputs[0]!, ownerOf(node.inputs[0]));
  }
  const ends = new Map<Tensor, number>();
  graph.nodes.forEach((node, at) => {
    for (const x of [...node.outputs, ...node.inputs]) if (x) ends.set(ownerOf(x), at);
  });
  for (const x of [...outputs.values(), ...updates.values(), ...given]) ends.set(ownerOf(x), Infinity);

  const sum = (tensors: Iterable<Tensor>) => [...tensors].reduce((total, x) => total + bytesOf(x), 0);
  let live = sum(given);
  let peak = live;
  graph.nodes.forEach((node, at) => {
    const made = node.outputs.filter((x) => ownerOf(x) === x);
    live += sum(made);
    peak = Math.max(peak, live);
    const touched = new Set([...node.outputs, ...node.inputs].flatMap((x) => (x ? [ownerOf(x)] : [])));
    live -= sum([...touched].filter((x) => ends.get(x) === at));
  });
  return peak;
}

function bytesOf({ dtype, shape }: Tensor): number {
  return bytesPerElement(dtype) * sizeOf(shape);
}
