/**
 * Tests engine/ops/pool.ts and shape.ts. Pooling of all kinds and channel shuffle against PyTorch's values in float64
 * (test/fixtures/make_ops_more.py).
 */
import { join } from 'node:path';
import { expect } from 'chai';
import { adaptiveAvgPool, avgPool, channelShuffle, maxPool } from '../../../engine/ops/index';
import { readSafetensors } from '../../../formats/safetensors';
import { evaluate, expectClose, float32, type Build } from '../../helpers/engine';

interface Attributes {
  kernel: number;
  stride: number;
  padding: number;
  size: number;
  groups: number;
}

const builders: Record<string, (attributes: Attributes) => Build> = {
  maxpool: (a) => (x) => maxPool(x, a),
  avgpool: (a) => (x) => avgPool(x, a.kernel, a),
  adaptive_avgpool: (a) => (x) => adaptiveAvgPool(x, a.size),
  channel_shuffle: (a) => (x) => channelShuffle(x, a.groups),
};

describe('pooling and channel shuffle agree with PyTorch', () => {
  const { tensors, metadata } = readSafetensors(join(__dirname, '../../fixtures/ops_more.safetensors'));
  const names = Object.keys(metadata);

  it('has cases for each of them', () => {
    const operators = new Set(names.map((name) => name.split('/')[0]!));
    expect([...operators]).to.have.members(Object.keys(builders));
  });

  for (const name of names) {
    it(name, async () => {
      const at = (key: string) => tensors.get(`${name}/${key}`)!;
      const build = builders[name.split('/')[0]!]!(JSON.parse(metadata[name]!) as Attributes);
      const { y, grads } = await evaluate(build, [at('x')], at('dy'));
      expectClose(y, at('y'), 2e-6, 'y');
      expectClose(grads[0]!, at('dx'), 2e-6, 'dx');
    });
  }

  it('refuses windows that do not fit', async () => {
    const refused = async (build: Build, shape: number[], message: string) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const error = await evaluate(build, [float32(shape, new Float32Array(size))]).catch((thrown: Error) => thrown);
      expect(error).to.be.an('error').with.property('message', message);
    };
    const what = 'window with padding';
    await refused((x) => maxPool(x, { kernel: 3 }), [1, 1, 2, 5], `maxPool: a 3x3 ${what} 0 does not fit [1, 1, 2, 5]`);
    await refused(
      (x) => avgPool(x, 2, { padding: 2 }),
      [1, 1, 4, 4],
      `avgPool: a 2x2 ${what} 2 does not fit [1, 1, 4, 4]`,
    );
  });
});
