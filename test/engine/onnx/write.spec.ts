import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { readModel } from '../../../engine/onnx/read';
import { writeModel } from '../../../engine/onnx/write';
import { add, mul } from '../../../engine/ops';
import { Session, State } from '../../../engine/session';
import { float32 } from '../../helpers/engine';

/** x + 1 twice over as outputs, x itself, and a state that becomes 2 · 3, which nothing that is fed goes into. */
function graphOfResults(): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  const weight = graph.parameter('weight', [2], () => float32([2], [3, 4]));
  const sum = add(x, 1);
  graph.output('sum', sum);
  graph.output('again', sum);
  graph.output('same', x);
  graph.output('product', mul(sum, weight));
  graph.update(weight, mul(weight, 2));
  return graph;
}

describe('writeModel', () => {
  const model = readModel(writeModel(graphOfResults()), 'results.onnx');

  it('calls a result by its name where it is made, and hands it on where it has another', () => {
    const of = (name: string) => model.nodes.filter(({ outputs }) => outputs.includes(name));
    const kinds = ['sum', 'again', 'same', 'product', "weight'"].map((name) => of(name).map(({ opType }) => opType));
    expect(kinds).to.deep.equal([['Add'], ['Identity'], ['Identity'], ['Mul'], ['Mul']]);
    expect(of('again')[0]!.inputs).to.deep.equal(['sum']);
    expect(of('same')[0]!.inputs).to.deep.equal(['x']);
    expect(of('product')[0]!.inputs[0]).to.equal('sum');
  });

  it('puts what depends on no other node first', () => {
    const made = new Set(model.nodes.flatMap(({ outputs }) => outputs));
    const nodes = model.nodes.filter(({ opType }) => opType !== 'Identity');
    const depends = nodes.map(({ inputs }) => inputs.some((input) => made.has(input)));
    expect(depends).to.deep.equal([...depends].sort());
    expect(new Set(depends).size).to.equal(2);
  });

  it('means what the graph means', async () => {
    const graph = graphOfResults();
    const session = await Session.create(graph, { threads: 1 });
    const state = State.initial(graph);
    for (const factor of [1, 2]) {
      const results = await session.run({ x: float32([2], [10, 20]) }, state);
      const values = Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, [...data]]));
      expect(values).to.deep.equal({
        sum: [11, 21],
        again: [11, 21],
        same: [10, 20],
        product: [33 * factor, 84 * factor],
      });
    }
    expect([...state.get('weight').data]).to.deep.equal([12, 16]);
    await session.release();
  });
});
