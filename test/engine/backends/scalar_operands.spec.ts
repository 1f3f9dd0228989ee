/** Scalars of full rank: the same values, and no scalar of lower rank where ONNX Runtime is slow. */
import { expect } from 'chai';
import { fullRankScalars } from '../../../engine/backends/scalar_operands';
import { Graph } from '../../../engine/graph';
import { emitElementwise } from '../../../engine/ops/elementwise';
import { Session, State } from '../../../engine/session';
import { ndarray } from '../../../formats/ndarray';

/** (x · 0.5 − rate) / x, where x has the shape given and the rate is fed. */
function sample(shape: readonly number[]): Graph {
  const graph = new Graph();
  const x = graph.parameter('x', shape, () =>
    ndarray(
      'float32',
      shape,
      Float32Array.from({ length: 24 }, (_, i) => i + 1),
    ),
  );
  const rate = graph.input('rate', 'float32', []);
  const half = emitElementwise('Mul', x, graph.scalar(0.5));
  graph.output('y', emitElementwise('Div', emitElementwise('Sub', half, rate), x));
  return graph;
}

async function valuesOf(graph: Graph): Promise<number[]> {
  const session = await Session.create(graph, { threads: 1 });
  const rate = ndarray('float32', [], Float32Array.of(3));
  const { y } = await session.run({ rate }, State.initial(graph)).finally(() => session.release());
  return Array.from(y!.data, Number);
}

describe('scalars of full rank', () => {
  for (const shape of [
    [24, 1],
    [4, 6, 1],
    [4, 6, 1, 1],
    [2, 3, 4, 1],
  ]) {
    it(`meet a tensor of shape [${shape.join(', ')}]`, async () => {
      const graph = sample(shape);
      const target = fullRankScalars(graph);
      const ranks = target.nodes
        .filter(({ opType }) => opType !== 'Reshape')
        .map(({ inputs }) => inputs.map((input) => input!.shape.length));
      expect(ranks).to.deep.equal(ranks.map(() => [shape.length, shape.length]));
      expect(await valuesOf(target)).to.deep.equal(await valuesOf(graph));
    });
  }

  it('are left as they are elsewhere', () => {
    for (const shape of [[24], [4, 6], [1, 24]]) {
      const graph = sample(shape);
      expect(fullRankScalars(graph)).to.equal(graph);
    }
  });
});
