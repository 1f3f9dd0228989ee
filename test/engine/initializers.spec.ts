import { expect } from 'chai';
import { Graph } from '../../engine/graph';
import { constant, fanIn, normal, uniform } from '../../engine/initializers';
import { State } from '../../engine/session';
import type { Tensor } from '../../engine/tensor';
import { nets } from '../../model/nets';
import { Layers } from '../../model/nets/layers';

function moments(values: Iterable<number>): { mean: number; std: number; largest: number } {
  const all = [...values];
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length;
  return { mean, std: Math.sqrt(variance), largest: all.reduce((max, value) => Math.max(max, Math.abs(value)), 0) };
}

/** The initial values that `build` leaves in a graph. */
function initial(build: (layers: Layers, x: Tensor) => void, shape: readonly number[], seed = 0): State {
  const graph = new Graph();
  build(new Layers(graph, { mode: 'train', seed }), graph.input('x', 'float32', shape));
  return State.initial(graph);
}

const values = (state: State, name: string) => Array.from(state.get(name).data, Number);

describe('initializers', () => {
  const shape = [64, 32, 3, 3];

  it('count the inputs that an output sums over', () => {
    expect(fanIn(shape)).to.equal(32 * 9);
    expect(fanIn([10, 128])).to.equal(128);
  });

  // Of n = 18,432 values: the mean is within 4 standard errors, the standard deviation within 3 %.
  it('uniform: within the bound, flat', () => {
    const { data, dtype, shape: made } = uniform(0.25)('w', shape, 1);
    expect([dtype, made]).to.deep.equal(['float32', shape]);
    const { mean, std, largest } = moments(data as Float32Array);
    expect(largest).to.be.within(0.2499, 0.25);
    expect(mean).to.be.closeTo(0, (4 * std) / Math.sqrt(data.length));
    expect(std).to.be.closeTo(0.25 / Math.sqrt(3), 0.03 * std);
  });

  it('normal: of the standard deviation asked for', () => {
    const { data } = normal(0.1)('w', shape, 1);
    const { mean, std, largest } = moments(data as Float32Array);
    expect(mean).to.be.closeTo(0, 0.4 / Math.sqrt(data.length));
    expect(std).to.be.closeTo(0.1, 0.003);
    expect(largest).to.be.within(0.35, 0.6);
  });

  it('constant: one value everywhere', () => {
    expect([...constant(1.5)('w', [2, 2], 1).data]).to.deep.equal([1.5, 1.5, 1.5, 1.5]);
  });

  for (const [kind, initializer] of Object.entries({ uniform: uniform(1), normal: normal(1) })) {
    it(`${kind}: the same for the same seed and name, another for another`, () => {
      const draw = (name: string, seed: number) => [...initializer(name, [4, 5], seed).data];
      expect(draw('conv1.weight', 3)).to.deep.equal(draw('conv1.weight', 3));
      expect(draw('conv1.weight', 3)).not.to.deep.equal(draw('conv1.weight', 4));
      expect(draw('conv1.weight', 3)).not.to.deep.equal(draw('conv2.weight', 3));
    });
  }

  it('do not depend on what else is built, or in which order', () => {
    const options = { kernel: 3, bias: true };
    const one = initial((layers, x) => layers.conv('b', layers.conv('a', x, 3, options), 4, options), [1, 3, 8, 8], 5);
    const other = initial(
      (layers, x) => {
        layers.conv('c', x, 7, options);
        layers.conv('b', x, 4, options);
        layers.conv('a', x, 3, options);
      },
      [2, 3, 9, 9],
      5,
    );
    for (const name of one.names) expect(values(one, name), name).to.deep.equal(values(other, name));
    expect(values(one, 'a.weight').slice(0, 3)).not.to.deep.equal(values(one, 'b.weight').slice(0, 3));
  });

  it('give layers ±1/√fan_in as PyTorch does, biases too', () => {
    const state = initial((layers, x) => layers.linear('fc', x, 400), [1, 100]);
    for (const name of ['fc.weight', 'fc.bias']) expect(moments(values(state, name)).largest).to.be.within(0.099, 0.1);
    const conv = initial((layers, x) => layers.conv('conv', x, 64, { kernel: 2, groups: 2 }), [1, 50, 4, 4]);
    expect(moments(values(conv, 'conv.weight')).largest).to.be.within(0.099, 0.1);
    expect(conv.names).to.deep.equal(['conv.weight']);
  });

  it("give the classic ResNets He's normal distribution", () => {
    const options = { classes: 10, numChannels: 32, dropoutRate: 0 };
    const state = initial((layers, x) => nets.resnet8!.build(layers, x, options), [1, 3, 32, 32]);
    for (const [name, fan] of Object.entries({ 'layer2.0.conv2.weight': 288, 'layer3.0.conv2.weight': 576 })) {
      const { std, largest } = moments(values(state, name));
      expect(std, name).to.be.closeTo(Math.sqrt(2 / fan), 0.03 * std);
      expect(largest, name).to.be.above(3 * std);
    }
    expect(moments(values(state, 'linear.weight')).largest).to.be.within(0.12, 0.125);
  });
});
