/** Dynamic loss scaling: exact, and what becomes of a step that is not finite. */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { add, linear, mul, square, sum } from '../../../engine/ops';
import { leaveOutNonFinite, lossScale, minimize, sgd } from '../../../engine/optimizers';
import { Session, State } from '../../../engine/session';
import { float32 } from '../../helpers/engine';

const SCALE = 'optimizer.loss_scale';
const SERVED = 'optimizer.loss_scale_served';

/** Σ (W x)², by momentum; `seen` counts, `last` is what x was. */
function graphOf(scales: boolean): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [1, 3]);
  const weight = graph.parameter('weight', [2, 3], () => float32([2, 3], [0.1, -0.2, 0.3, 0.7, -0.4, 0.6]));
  const last = graph.buffer('last', 'float32', [1, 3], () => float32([1, 3], [0, 0, 0]));
  graph.update(last, mul(x, 1));
  const loss = sum(square(linear(x, weight)));
  minimize(loss, sgd({ momentum: 0.9 }), undefined, { scale: scales ? lossScale(graph) : undefined });
  if (scales) leaveOutNonFinite(graph);
  graph.output('loss', add(loss, 0));
  return graph;
}

describe('loss scaling', () => {
  const sessions: Session[] = [];
  after(() => Promise.all(sessions.map((session) => session.release())));

  async function begin(scales: boolean): Promise<{ state: State; step: (...x: number[]) => Promise<void> }> {
    const graph = graphOf(scales);
    const session = await Session.create(graph, { threads: 1 });
    sessions.push(session);
    const state = State.initial(graph);
    const rates = graph.feeds({ seed: 0, step: 1, epoch: 1, epochs: 1, learningRate: 0.01 });
    return {
      state,
      step: async (...x) => void (await session.run({ x: float32([1, 3], x), ...rates }, state)),
    };
  }

  const contents = (state: State) =>
    Object.fromEntries([...state.arrays()].map(([name, { data }]) => [name, Array.from(data, Number)]));

  it('changes no bit of what a finite step comes to', async () => {
    const [plain, scaled] = [await begin(false), await begin(true)];
    for (const one of [plain, scaled]) for (let i = 1; i <= 5; i++) await one.step(0.3 * i, 1 / i, -0.7);
    const { [SCALE]: scale, [SERVED]: served, ...rest } = contents(scaled.state);
    expect(rest).to.deep.equal(contents(plain.state));
    expect([scale, served]).to.deep.equal([[65536], [5]]);
  });

  it('leaves a step out whose gradient is too large for the scale, and halves that', async () => {
    const { state, step } = await begin(true);
    await step(1, 2, 3);
    const before = contents(state);
    await step(1e18, 1e18, 1e18);
    expect(contents(state)).to.deep.equal({ ...before, [SCALE]: [32768], [SERVED]: [0] });
    await step(1, 2, 3);
    expect(contents(state).weight).not.to.deep.equal(before.weight);
    expect(contents(state)[SERVED]).to.deep.equal([1]);
  });

  it('is doubled after 2000 sound steps', async () => {
    const { state, step } = await begin(true);
    state.set(SERVED, float32([], [1998]));
    await step(1, 2, 3);
    expect(contents(state)).to.deep.include({ [SCALE]: [65536], [SERVED]: [1999] });
    await step(1, 2, 3);
    expect(contents(state)).to.deep.include({ [SCALE]: [131072], [SERVED]: [0] });
  });
});
