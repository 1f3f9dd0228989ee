import { expect } from 'chai';
import { flops } from '../../../engine/analysis/flops';
import { Graph } from '../../../engine/graph';
import { conv2d, flatten, linear, matmul, maxPool, relu } from '../../../engine/ops/index';
import { nets } from '../../../model/nets/index';
import { evaluationGraph } from '../../../model/nets/model';

describe('flops', () => {
  it('counts two for every product of convolutions, linear layers and matrices, and nothing else', () => {
    const graph = new Graph();
    const parameter = (name: string, shape: number[]) =>
      graph.parameter(name, shape, () => expect.fail('no values are needed'));
    const x = graph.input('x', 'float32', [5, 4, 9, 8]);
    // (9 + 2 − 3) / 2 + 1 = 5 rows, (8 + 2 − 3) / 2 + 1 = 4 columns
    const y = conv2d(x, parameter('conv', [6, 2, 3, 3]), parameter('bias', [6]), { stride: 2, padding: 1, groups: 2 });
    const convolution = 2 * (5 * 6 * 5 * 4) * (2 * 3 * 3);
    expect(flops(graph)).to.equal(convolution);
    const pooled = flatten(maxPool(relu(y), { kernel: 2 }));
    expect(pooled.shape).to.deep.equal([5, 24]);
    expect(flops(graph)).to.equal(convolution);
    const z = linear(pooled, parameter('fc', [7, 24]), parameter('offset', [7]));
    matmul(z, parameter('matrix', [7, 3]));
    expect(flops(graph)).to.equal(convolution + 2 * 5 * 7 * 24 + 2 * 5 * 3 * 7);
  });

  const of = (net: string) =>
    flops(
      evaluationGraph({
        net: nets[net]!.build,
        options: { classes: 10, numChannels: 32, dropoutRate: 0 },
        normalize: { mean: [0, 0, 0], std: [1, 1, 1] },
        input: [3, 32, 32],
      }),
    );

  it('of the 5-layer CNN follow from its layers', () => {
    const conv = (side: number, inputs: number, outputs: number) => side * side * 9 * inputs * outputs;
    const products = conv(32, 3, 32) + conv(16, 32, 64) + conv(8, 64, 128) + 2048 * 128 + 128 * 10;
    expect(of('cnn')).to.equal(2 * products);
  });

  for (const depth of [8, 20, 56, 110]) {
    it(`of ResNet-${depth} follow from its depth`, () => {
      // A stage of width w on maps of side s has 2n convolutions of 9 w² s² products; s w is 512 in each of the three.
      // The first convolution of the second and third stage has half the input channels.
      const n = (depth - 2) / 6;
      const full = 9 * 512 ** 2;
      expect(of(`resnet${depth}`)).to.equal(2 * (32 * 32 * 27 * 16 + 6 * n * full - full + 64 * 10));
    });
  }
});
