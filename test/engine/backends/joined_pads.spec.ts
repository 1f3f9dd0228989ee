/** Gradients of slices, joined: the same values from fewer nodes, and nothing else is touched. */
import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { joinPads } from '../../../engine/backends/joined_pads';
import { Graph } from '../../../engine/graph';
import { add, slice, square, sum, mul } from '../../../engine/ops';
import { Session } from '../../../engine/session';
import { float32 } from '../../helpers/engine';

type Range = readonly [axis: number, start: number, stop: number];

/** The gradient to x (2, 6) of Σᵢ (i + 2) · |slice i|², as output `grad`. */
function gradientOf(ranges: readonly Range[]): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2, 6]);
  const losses = ranges.map((range, i) => mul(sum(square(slice(x, ...range))), i + 2));
  const [grad] = gradients(
    losses.reduce((total, loss) => add(total, loss)),
    [x],
  );
  graph.output('grad', grad!);
  return graph;
}

async function valuesOf(graph: Graph): Promise<number[]> {
  const session = await Session.create(graph, { threads: 1, dynamicBatch: true });
  const { grad } = await session.run({
    x: float32(
      [2, 6],
      Array.from({ length: 12 }, (_, i) => i - 4),
    ),
  });
  await session.release();
  return Array.from(grad!.data, Number);
}

const count = (graph: Graph, opType: string) => graph.nodes.filter((node) => node.opType === opType).length;

describe('gradients of slices', () => {
  const shared: Readonly<Record<string, readonly Range[]>> = {
    'in order': [
      [1, 0, 2],
      [1, 2, 3],
      [1, 3, 6],
    ],
    'in another order': [
      [1, 3, 6],
      [1, 0, 2],
      [1, 2, 3],
    ],
    'of the first axis': [
      [0, 1, 2],
      [0, 0, 1],
    ],
  };
  for (const [name, ranges] of Object.entries(shared)) {
    it(`that share out a tensor are its concatenation, ${name}`, async () => {
      const graph = gradientOf(ranges);
      const joined = joinPads(graph);
      expect(count(graph, 'Pad')).to.equal(ranges.length);
      expect([count(joined, 'Pad'), count(joined, 'Concat')]).to.deep.equal([0, 1]);
      expect(await valuesOf(joined)).to.deep.equal(await valuesOf(graph));
    });
  }

  const others: Readonly<Record<string, readonly Range[]>> = {
    'leave a gap': [
      [1, 0, 2],
      [1, 3, 6],
    ],
    overlap: [
      [1, 0, 3],
      [1, 2, 6],
    ],
    'are of two axes': [
      [0, 0, 1],
      [1, 1, 6],
    ],
  };
  for (const [name, ranges] of Object.entries(others)) {
    it(`that ${name} stay as they are`, () => {
      const graph = gradientOf(ranges);
      const joined = joinPads(graph);
      expect(joined.nodes.map(({ opType }) => opType)).to.deep.equal(graph.nodes.map(({ opType }) => opType));
    });
  }

  it('that something else reads too are there for it', async () => {
    const graph = gradientOf(shared['in order']!);
    const padded = graph.nodes.find(({ opType }) => opType === 'Pad')!.outputs[0]!;
    graph.output('alone', padded);
    const joined = joinPads(graph);
    expect([count(joined, 'Pad'), count(joined, 'Concat')]).to.deep.equal([1, 1]);
    expect(await valuesOf(joined)).to.deep.equal(await valuesOf(graph));
  });
});
