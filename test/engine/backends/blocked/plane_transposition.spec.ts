/** Transpositions of planes by way of the blocked layout: the same numbers at the same places. */
import { expect } from 'chai';
import { toBlockedLayout } from '../../../../engine/backends/blocked';
import { blockSize } from '../../../../engine/backends/blocked/block_size';
import { Graph } from '../../../../engine/graph';
import { transpose } from '../../../../engine/ops';
import { Session, State } from '../../../../engine/session';
import { ndarray, sizeOf } from '../../../../formats/ndarray';

interface Case {
  readonly shape: readonly number[];
  readonly order: readonly number[];
}

const turned: Case[] = [
  { shape: [4, 64, 80], order: [0, 2, 1] },
  { shape: [4, 40, 256], order: [0, 2, 1] },
  { shape: [4, 256, 40], order: [0, 2, 1] },
  { shape: [8, 33, 100], order: [0, 2, 1] },
  { shape: [8, 100, 33], order: [0, 2, 1] },
  { shape: [4, 48, 10, 9], order: [0, 2, 3, 1] },
  { shape: [4, 10, 9, 48], order: [0, 3, 1, 2] },
  { shape: [2, 3, 52, 60], order: [0, 1, 3, 2] },
  { shape: [2, 5, 36, 7, 8], order: [0, 1, 3, 4, 2] },
  { shape: [200, 100], order: [1, 0] },
];

const left: Case[] = [
  { shape: [4, 4, 8], order: [0, 2, 1] },
  { shape: [8, 33, 101], order: [0, 2, 1] },
  { shape: [4, 64, 8, 16], order: [0, 2, 1, 3] },
  { shape: [32, 64, 64], order: [2, 1, 0] },
];

function graphOf({ shape, order }: Case): Graph {
  const graph = new Graph();
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => i);
  const x = graph.parameter('x', shape, () => ndarray('float32', shape, data));
  graph.output('y', transpose(x, order));
  return graph;
}

async function valuesOf(graph: Graph): Promise<unknown> {
  const session = await Session.create(graph, { threads: 1 });
  const { y } = await session.run({}, State.initial(graph)).finally(() => session.release());
  return { shape: y!.shape, data: y!.data };
}

describe('transpositions of planes', () => {
  let block = 0;
  before(async function () {
    block = await blockSize();
    if (block <= 1) this.skip();
  });

  for (const example of turned) {
    it(`[${example.shape.join(', ')}] by ${example.order.join()}`, async () => {
      const graph = graphOf(example);
      const layout = toBlockedLayout(graph, block);
      expect(layout.nodes.some(({ opType }) => opType === 'Transpose')).to.equal(false);
      expect(await valuesOf(layout)).to.deep.equal(await valuesOf(graph));
    });
  }

  for (const example of left) {
    it(`are not that of [${example.shape.join(', ')}] by ${example.order.join()}`, () => {
      const layout = toBlockedLayout(graphOf(example), block);
      expect(layout.nodes.map(({ opType }) => opType)).to.deep.equal(['Transpose']);
    });
  }
});
