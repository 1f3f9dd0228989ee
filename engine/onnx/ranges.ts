/** Calibration: the ranges of activations on sample images, which static quantization takes its scales from. */
import type { NdArray } from '../../formats/ndarray';
import type { Graph } from '../graph';
import { Session } from '../session';
import { quantizedActivations, type Range } from './quantize';
import { rewrite, valuesOf } from './rewrite';

/**
 * Runs a folded graph on `batches` of feeds, and returns the smallest and the largest value of each of its `quantizedActivations`,
 * by name. 0 threads use every core; the graph is in version `opset` of the operator set.
 */
export async function activationRanges(
  graph: Graph,
  batches: Iterable<Readonly<Record<string, NdArray>>> | AsyncIterable<Readonly<Record<string, NdArray>>>,
  threads: number,
  opset = 17,
): Promise<Map<string, Range>> {
  const observed = observedGraph(graph);
  const frozen = valuesOf(observed);
  const session = await Session.create(observed, { threads, frozen, dynamicBatch: true, opset });
  const ranges = new Map<string, Range>();
  for await (const feeds of batches) {
    const results = await session.run(feeds);
    for (const name of quantizedActivations(graph).keys()) {
      const { min, max } = ranges.get(name) ?? { min: Infinity, max: -Infinity };
      const [low, high] = ['min', 'max'].map((end) => Number(results[`${end} ${name}`]!.data[0])) as [number, number];
      ranges.set(name, { min: Math.min(min, low), max: Math.max(max, high) });
    }
  }
  await session.release();
  return ranges;
}

/** The graph with `min <name>` and `max <name>` of every activation as outputs. */
function observedGraph(graph: Graph): Graph {
  const activations = quantizedActivations(graph);
  return rewrite(graph, (node, rewriter) => {
    const results = rewriter.copy(node);
    const { target } = rewriter;
    node.outputs.forEach(({ name }, i) => {
      if (!activations.has(name)) return;
      const whole = { attributes: { keepdims: 0 } };
      target.output(`min ${name}`, target.emit('ReduceMin', [results[i]], [], whole));
      target.output(`max ${name}`, target.emit('ReduceMax', [results[i]], [], whole));
    });
    return results;
  });
}
