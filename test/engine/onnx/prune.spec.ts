/** What is left of graphs whose idle nodes are removed. */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { prune } from '../../../engine/onnx/prune';
import { raw } from '../../../engine/ops/elementwise';
import { rawReshape } from '../../../engine/ops/shape';
import { Session } from '../../../engine/session';
import { float32 } from '../../helpers/engine';

const values = float32(
  [2, 6],
  Float32Array.from({ length: 12 }, (_, i) => i),
);

function build(): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2, 6]);
  const twice = rawReshape(rawReshape(x, [3, 4]), [4, 3]);
  graph.output('reshaped twice', raw('Add', twice, graph.constant(float32([3], [1, 2, 3]))));
  graph.output('reshaped and back', raw('Sub', rawReshape(rawReshape(x, [12]), [2, 6]), graph.scalar(1)));
  graph.output('as it was', rawReshape(x, [2, 6]));
  raw('Mul', x, graph.constant(float32([6], [1, 2, 3, 4, 5, 6])));
  return graph;
}

describe('a graph that is pruned', () => {
  it('has one reshape for several, none for one that changes nothing, and nothing that no output needs', () => {
    const graph = build();
    prune(graph);
    expect(graph.nodes.map(({ opType }) => opType)).to.deep.equal(['Reshape', 'Add', 'Sub', 'Reshape']);
    // Two shapes and two addends.
    expect(graph.constants.size).to.equal(4);
  });

  it('comes to the same', async () => {
    const [graph, pruned] = [build(), build()];
    prune(pruned);
    const run = async (one: Graph) => {
      const session = await Session.create(one, { threads: 1 });
      const results = await session.run({ x: values });
      await session.release();
      return Object.entries(results).map(([name, { shape, data }]) => [name, [...shape], [...data]]);
    };
    expect(await run(pruned)).to.deep.equal(await run(graph));
  });
});
