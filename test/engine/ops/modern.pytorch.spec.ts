/** Operators of the networks of others against PyTorch's values in float64 (test/fixtures/make_ops_modern.py). */
import { join } from 'node:path';
import { expect } from 'chai';
import * as ops from '../../../engine/ops/index';
import { readSafetensors } from '../../../formats/safetensors';
import { evaluate, expectClose, type Build } from '../../helpers/engine';
import { modernOperators } from '../../helpers/modern_operators';

/** Each case's own call where it takes more than its inputs. */
const builders: Record<string, Build> = {
  'clip/1': (x) => ops.clip(x, -1, 2),
  'selu/1': (x) => ops.elu(x, { alpha: 1.6732632423543772, gamma: 1.0507009873554805 }),
  'prelu/channels': (x, slope) => ops.prelu(x, ops.reshape(slope, [3, 1])),
  'pow/cube': (x) => ops.pow(x, 3),
  'logSumExp/1': (x) => ops.logSumExp(x, { axes: [1, 2] }),
  'norm2/1': (x) => ops.norm2(x, { axes: [1] }),
  'min/1': (x) => ops.min(x, { axes: [1, 2] }),
  'depthToSpace/CRD': (x) => ops.depthToSpace(x, 2),
  'padEdges/reflect': (x) => ops.padEdges(x, 2, 2, 3, 'reflect'),
  'padEdges/edge': (x) => ops.padEdges(x, 2, 2, 3, 'edge'),
  'einsum/1': (a, b) => ops.einsum('nqhd,nkhd->nhqk', [a, b]),
  'layerNorm/last': (x, weight, bias) => ops.layerNorm(x, 2, { weight, bias, eps: 1e-6 }),
  'channelNorm/map': (x, weight, bias) => ops.channelNorm(x, { weight, bias, eps: 1e-6 }),
  'groupNorm/2': (x, weight, bias) => ops.groupNorm(x, 2, { weight, bias }),
  'rmsNorm/1': (x, weight) => ops.rmsNorm(x, 2, { weight }),
  'lpNorm/2': (x) => ops.lpNorm(x, 1),
  'lpNorm/1': (x) => ops.lpNorm(x, 1, 1),
  'maxPool/rectangle': (x) => ops.maxPool(x, { kernel: [2, 3], stride: [1, 2], padding: [0, 1] }),
  'avgPool/rectangle': (x) => ops.avgPool(x, [2, 3], { stride: [1, 2], padding: [0, 1] }),
  'convTranspose2d/3x3': (x, w, b) => ops.convTranspose2d(x, w, b, { stride: 2, padding: 1, outputPadding: 1 }),
  'convTranspose2d/groups': (x, w, b) => ops.convTranspose2d(x, w, b, { padding: 1, groups: 2 }),
};

describe('operators of the networks of others agree with PyTorch', () => {
  const { tensors, metadata } = readSafetensors(join(__dirname, '../../fixtures/ops_modern.safetensors'));

  it('has cases for all but those that only move values', () => {
    const cases = new Set(Object.keys(metadata).map((name) => name.split('/')[0]!));
    const moving = ['where', 'expand', 'tile', 'gather', 'resample', 'spaceToDepth'];
    const others = Object.keys(modernOperators).filter((name) => !moving.includes(name));
    expect([...cases]).to.include.members(others);
  });

  for (const [name, text] of Object.entries(metadata)) {
    it(name, async () => {
      const { inputs } = JSON.parse(text) as { inputs: number };
      const at = (key: string) => tensors.get(`${name}/${key}`)!;
      const build = builders[name] ?? (ops[name.split('/')[0] as keyof typeof ops] as Build);
      const arrays = Array.from({ length: inputs }, (_, i) => at(`x${i}`));
      const { y, grads } = await evaluate(build, arrays, at('dy'));
      expectClose(y, at('y'), 2e-6, 'y');
      grads.forEach((grad, i) => expectClose(grad, at(`d${i}`), 5e-6, `d${i}`));
    });
  }
});
