/** Masks of ReLUs as one node, beside Greater and Cast. */
import { expect } from 'chai';
import { oneNodeMasks } from '../../../engine/backends/step_masks';
import { Graph } from '../../../engine/graph';
import { indicator } from '../../../engine/ops/activation';
import { Session, State } from '../../../engine/session';
import { ndarray } from '../../../formats/ndarray';

/** Among them the smallest normal number, the largest one, and their neighbours in magnitude. */
const values = [
  0,
  -0,
  1.1754944e-38,
  -1.1754944e-38,
  1e-30,
  0.5,
  1,
  3.4028235e38,
  Infinity,
  -1e-30,
  -1,
  -3.4e38,
  -Infinity,
];
/** Long enough for vector instructions and for their rest. */
const data = Float32Array.from({ length: 10 * values.length + 3 }, (_, i) => values[i % values.length]!);

function masks(comparison: 'Greater' | 'Less', bound: number): Graph {
  const graph = new Graph();
  const x = graph.parameter('x', [data.length], () => ndarray('float32', [data.length], data));
  graph.output('mask', indicator(comparison, x, bound));
  return graph;
}

async function maskOf(graph: Graph): Promise<number[]> {
  const session = await Session.create(graph, { threads: 1 });
  const { mask } = await session.run({}, State.initial(graph)).finally(() => session.release());
  return Array.from(mask!.data, Number);
}

describe('masks of one node', () => {
  it('are 1 where x > 0 and 0 elsewhere', async () => {
    const graph = oneNodeMasks(masks('Greater', 0));
    expect(graph.nodes.map(({ opType }) => opType)).to.deep.equal(['HardSigmoid']);
    expect(await maskOf(graph)).to.deep.equal(Array.from(data, (x) => Number(x > 0)));
    expect(await maskOf(masks('Greater', 0))).to.deep.equal(await maskOf(graph));
  });

  it('are only those above zero', () => {
    for (const graph of [masks('Greater', 1), masks('Less', 0)]) expect(oneNodeMasks(graph)).to.equal(graph);
  });
});
