/** Rewriting a training graph for ONNX Runtime's CPU kernels. */
import type { Graph } from '../graph';
import type { CompileOptions } from './backend';
import { toBlockedLayout } from './blocked';
import { blockSize } from './blocked/block_size';
import { fuseHorizontally } from './horizontal_fusion';
import { joinPads } from './joined_pads';
import { fullRankScalars } from './scalar_operands';
import { simplify } from './simplified';
import { oneNodeMasks } from './step_masks';

/** Whether `forCpu` rewrites a graph. */
export function isTrainingGraph({ updates }: Graph, { dynamicBatch = false }: CompileOptions): boolean {
  return updates.size > 0 && !dynamicBatch;
}

/**
 * The graph as ONNX Runtime runs it fastest on the CPU: gradients of slices joined, convolutions in the blocked layout (NCHWc),
 * small updates fused, the rest simplified. A graph without updates is returned as it is: with constant weights ONNX Runtime
 * changes layouts itself.
 */
export async function forCpu(graph: Graph, options: CompileOptions): Promise<Graph> {
  if (!isTrainingGraph(graph, options)) return graph;
  const block = await blockSize();
  const joined = oneNodeMasks(joinPads(graph));
  const fused = fullRankScalars(fuseHorizontally(block > 1 ? toBlockedLayout(joined, block) : joined));
  simplify(fused);
  return fused;
}
