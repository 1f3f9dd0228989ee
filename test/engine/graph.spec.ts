import { expect } from 'chai';
import { ancestors } from '../../engine/autodiff';
import { Graph } from '../../engine/graph';
import { add, detach, mul, square, sum } from '../../engine/ops';
import { Session, State } from '../../engine/session';
import type { StepContext } from '../../engine/step_context';
import { float32 } from '../helpers/engine';

const context: StepContext = { seed: 5, step: 3, epoch: 2, epochs: 10, learningRate: 0.25 };

describe('Graph', () => {
  it('refuses two inputs of one name', () => {
    const graph = new Graph();
    graph.input('x', 'float32', [1]);
    expect(() => graph.hostInput('x', 'float32', [1], () => float32([1], [1]))).to.throw('input: "x" already exists');
    expect(graph.hostValues.size).to.equal(0);
  });

  it('feeds by rule what follows from the context, and nothing else', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [2]);
    const ruled = graph.hostInput('where', 'float32', [2], ({ seed, step }) => float32([2], [seed, step]));
    const share = graph.hostScalar('share', ({ epoch, epochs }) => epoch / epochs);
    graph.output('y', mul(add(x, ruled), share));
    const feeds = graph.feeds(context);
    expect(feeds).to.deep.equal({ where: float32([2], [5, 3]), share: float32([], [0.2]) });
    const session = await Session.create(graph, { threads: 1 });
    const { y } = await session.run({ x: float32([2], [0, 2]), ...feeds });
    expect([...y!.data]).to.deep.equal([1, 1]);
    await session.release();
  });

  it('shares a scalar by its name, with the first rule', () => {
    const graph = new Graph();
    const first = graph.hostScalar('rate', ({ learningRate }) => learningRate);
    expect(graph.hostScalar('rate', () => 7)).to.equal(first);
    expect([...graph.inputs.keys()]).to.deep.equal(['rate']);
    expect([...graph.feeds(context).rate!.data]).to.deep.equal([0.25]);
  });

  it('gives the latest value of a state, so that updates follow one another', async () => {
    const graph = new Graph();
    const count = graph.buffer('count', 'float32', [], () => float32([], [1]));
    expect(graph.current(count)).to.equal(count);
    graph.update(count, add(graph.current(count), 2));
    const once = graph.current(count);
    graph.update(count, mul(once, 10));
    graph.output('before', add(count, 0));
    const state = State.initial(graph);
    const session = await Session.create(graph, { threads: 1 });
    const { before } = await session.run({}, state);
    await session.release();
    expect([...before!.data]).to.deep.equal([1]);
    expect([...state.get('count').data]).to.deep.equal([30]);
  });
});

describe('ancestors', () => {
  it('are what a loss depends on through operators with gradients', () => {
    const graph = new Graph();
    const input = (name: string) => graph.input(name, 'float32', [2]);
    const [used, through, cut, beside] = [input('used'), input('through'), input('cut'), input('beside')];
    const squared = square(through);
    const held = detach(square(cut));
    sum(beside);
    const loss = sum(mul(add(used, squared), held));
    square(loss);
    const found = ancestors(loss);
    for (const tensor of [loss, used, through, squared, held]) expect(found.has(tensor), tensor.name).to.equal(true);
    for (const tensor of [cut, beside]) expect(found.has(tensor), tensor.name).to.equal(false);
    expect([...found].filter(({ name }) => graph.inputs.has(name))).to.have.members([used, through]);
  });
});
