/**
 * Tests engine/optimizers/. What every optimizer of the index must do: minimize, keep its state apart, go on from it. Run on
 * all of them.
 */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { add, mul, square, sub, sum } from '../../../engine/ops';
import { minimize, optimizers, OPTIMIZER_PREFIX } from '../../../engine/optimizers';
import { Session, State } from '../../../engine/session';
import { bytesOf, sizeOf } from '../../../formats/ndarray';
import { parseParams } from '../../../model/experiment/params';
import { float32 } from '../../helpers/engine';

const settings = { learningRate: 0.01, momentum: 0.9, nesterov: true, weightDecay: 1e-3 };
const moment = { seed: 0, epoch: 1, epochs: 1, learningRate: settings.learningRate };

/** Σ a (p − c)² of a matrix and a vector; `still` begins where it has no gradient, and is 0 there. */
function quadratic(): Graph {
  const graph = new Graph();
  const term = (name: string, shape: readonly number[], start: number, center: number) => {
    const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => start * (1 + i / 4));
    const parameter = graph.parameter(name, shape, () => float32(shape, values));
    return sum(mul(square(sub(parameter, center)), 0.5));
  };
  const loss = [term('matrix', [2, 3], 2, 0.5), term('vector', [4], -1, 1), term('still', [2], 0, 0)].reduce(add);
  graph.buffer('untouched', 'float32', [1], () => float32([1], [7]));
  graph.output('loss', loss);
  return graph;
}

describe('every optimizer', () => {
  it('can be named in params.json', () => {
    for (const optimizer of Object.keys(optimizers)) {
      const params = parseParams({ model_version: 'cnn', learning_rate: 1, num_epochs: 1, optimizer }, 'params.json');
      expect(params.optimizer).to.equal(optimizer);
    }
  });

  for (const [name, { make }] of Object.entries(optimizers)) {
    describe(name, () => {
      let graph: Graph;
      let session: Session;
      before(async () => {
        graph = quadratic();
        minimize([...graph.outputs.values()][0]!, make(settings));
        session = await Session.create(graph, { threads: 1 });
      });
      after(() => session.release());

      /** Steps from `first` on; the losses before each. */
      async function steps(state: State, first: number, count: number): Promise<number[]> {
        const losses: number[] = [];
        for (let step = first; step < first + count; step++) {
          const { loss } = await session.run(graph.feeds({ ...moment, step }), state);
          losses.push(Number(loss!.data[0]));
        }
        return losses;
      }

      it('lowers a quadratic, and leaves alone what has no gradient', async () => {
        const state = State.initial(graph);
        const losses = await steps(state, 1, 400);
        expect(losses.every(Number.isFinite)).to.equal(true);
        expect(losses.at(-1)).to.be.lessThan(0.2 * losses[0]!);
        expect([...state.get('still').data]).to.deep.equal([0, 0]);
        expect([...state.get('untouched').data]).to.deep.equal([7]);
      });

      it(`keeps its state under ${OPTIMIZER_PREFIX}<what>.<parameter>`, () => {
        const own = [...graph.states.keys()].filter((key) => !['matrix', 'vector', 'still', 'untouched'].includes(key));
        for (const key of own) expect(key).to.match(/^optimizer\.[a-z_]+\.(matrix|vector|still)$/);
        for (const key of own) expect(graph.states.get(key)!.trainable, key).to.equal(false);
        expect(own).not.to.deep.equal([]);
      });

      it('goes on from a saved state to the same bits', async () => {
        const [whole, before, after] = [State.initial(graph), State.initial(graph), State.initial(graph)];
        await steps(whole, 1, 7);
        await steps(before, 1, 3);
        for (const [key, array] of before.arrays()) after.set(key, array);
        await steps(after, 4, 4);
        for (const key of whole.names) expect(bytesOf(after.get(key)), key).to.deep.equal(bytesOf(whole.get(key)));
      });
    });
  }
});
