/** A graph as ONNX Runtime runs it fastest on the CPU. */
import type { Graph } from '../graph';
import type { CompileOptions } from './backend';
import { toBlockedLayout } from './blocked';
import { blockSize } from './blocked/block_size';
import { fuseHorizontally } from './horizontal_fusion';

/** One that trains nothing needs no rewriting: ONNX Runtime itself gives it the layout. */
export async function forCpu(graph: Graph, { dynamicBatch }: CompileOptions): Promise<Graph> {
  if (graph.updates.size === 0 || dynamicBatch) return graph;
  const block = await blockSize();
  return fuseHorizontally(block > 1 ? toBlockedLayout(graph, block) : graph);
}
