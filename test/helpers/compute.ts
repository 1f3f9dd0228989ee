/** One run of a graph on fed arrays. */
import { Graph } from '../../engine/graph';
import { Session, State, type Results } from '../../engine/session';
import type { Tensor } from '../../engine/tensor';
import type { NdArray } from '../../formats/ndarray';

/** Feeds `inputs` to a new graph and returns the named tensors that `build` makes of them. */
export async function compute<K extends string>(
  inputs: Readonly<Record<K, NdArray>>,
  build: (tensors: Record<K, Tensor>, graph: Graph) => Readonly<Record<string, Tensor>>,
): Promise<Results> {
  const graph = new Graph();
  const arrays = Object.entries(inputs) as [K, NdArray][];
  const tensors = arrays.map(([name, { dtype, shape }]) => [name, graph.input(name, dtype, shape)]);
  const outputs = build(Object.fromEntries(tensors) as Record<K, Tensor>, graph);
  for (const [name, tensor] of Object.entries(outputs)) graph.output(name, tensor);
  const session = await Session.create(graph, { threads: 1 });
  try {
    return await session.run(inputs, State.initial(graph));
  } finally {
    await session.release();
  }
}
