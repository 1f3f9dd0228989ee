/** Tests engine/session.ts. State on a device with memory of its own: what is carried over, and when. */
import { expect } from 'chai';
import { Graph } from '../../engine/graph';
import { add, sum } from '../../engine/ops';
import { Session, State } from '../../engine/session';
import { float32 } from '../helpers/engine';
import { Resident } from '../helpers/residents';

/** a ← a + x, b ← b + a; c is only read. */
function graphOf(): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', []);
  const state = (name: string, value: number) =>
    graph.buffer(name, 'float32', [2], () => float32([2], [value, 10 * value]));
  const [a, b, c] = [state('a', 1), state('b', 2), state('c', 3)] as const;
  graph.update(a, add(a, x));
  graph.update(b, add(b, a));
  graph.output('y', sum(add(c, a)));
  return graph;
}

describe('a state on a device', () => {
  const feeds = { x: float32([], [1]) };
  const contents = (state: State) => [...state.arrays()].map(([name, { data }]) => [name, ...data]);
  let graph: Graph;
  let device: Resident;
  let session: Session;
  let state: State;
  beforeEach(async () => {
    graph = graphOf();
    device = new Resident();
    session = await Session.create(graph, { backend: device });
    state = State.initial(graph);
  });
  afterEach(() => session.release());

  it('is carried over once, stays from step to step, and is fetched when it is asked for', async () => {
    for (let step = 0; step < 3; step++) await session.run(feeds, state);
    expect(device).to.include({ uploaded: 3, downloaded: 0, freed: 6 });
    await state.toHost();
    expect(device.downloaded, 'c was never changed').to.equal(2);
    expect(contents(state)).to.deep.equal([
      ['a', 4, 13],
      ['b', 2 + 1 + 2 + 3, 20 + 10 + 11 + 12],
      ['c', 3, 30],
    ]);
    await state.toHost();
    expect(device.downloaded).to.equal(2);
  });

  it('does not show what it was before the step', async () => {
    await session.run(feeds, state);
    expect(() => state.get('a')).to.throw('"a" is on the device');
    expect([...state.get('c').data]).to.deep.equal([3, 30]);
    expect(() => state.get('d')).to.throw('state: no "d"');
  });

  it('takes new values to the device with the next step', async () => {
    await session.run(feeds, state);
    state.set('a', float32([2], [100, 200]));
    await session.run(feeds, state);
    expect(device.uploaded).to.equal(4);
    await state.toHost();
    expect([...state.get('a').data]).to.deep.equal([101, 201]);
  });

  it('is as it was where the outputs of a step are refused, whose values are freed', async () => {
    await session.run(feeds, state);
    const { freed } = device;
    await session.run(feeds, state, () => false);
    expect(device.freed).to.equal(freed + 2);
    await state.toHost();
    expect([...state.get('a').data]).to.deep.equal([2, 11]);
  });

  it('moves to another device, and to the host', async () => {
    const other = new Resident();
    const sessions = [session, await Session.create(graph, { backend: other }), await Session.create(graph)];
    for (const one of sessions) await one.run(feeds, state);
    expect(device).to.include({ uploaded: 3, downloaded: 2 });
    expect(other).to.include({ uploaded: 3, downloaded: 2 });
    expect([...state.get('a').data]).to.deep.equal([4, 13]);
    for (const one of sessions.slice(1)) await one.release();
  });
});
