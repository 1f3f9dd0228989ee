/**
 * Tests engine/ops/. Every operator, forward and gradients, against PyTorch's values in float64 (test/fixtures/make_ops.py).
 */
import { join } from 'node:path';
import { expect } from 'chai';
import {
  add,
  avgPool,
  batchNorm,
  batchNormEval,
  concat,
  conv2d,
  div,
  globalAvgPool,
  leakyRelu,
  linear,
  logSoftmax,
  max,
  maxPool,
  mean,
  mul,
  pad,
  relu,
  relu6,
  reshape,
  sigmoid,
  slice,
  softmax,
  sub,
  sum,
  tanh,
  transpose,
  upsample,
} from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { NdArray } from '../../../formats/ndarray';
import { readSafetensors } from '../../../formats/safetensors';
import { evaluate, expectClose, type Build } from '../../helpers/engine';

interface Attributes {
  stride: [number, number];
  padding: [number, number];
  dilation: [number, number];
  kernel: [number, number];
  groups: number;
  training: boolean;
  slope: number;
  axis: number;
  axes: number[];
  keepdim: boolean;
  scale: [number, number];
  pads: [number, number][];
  starts: number[];
  ends: number[];
  steps: number[];
  perm: number[];
  shape: number[];
  planes: number;
}

const builders: Record<string, (attributes: Attributes, name: string) => Build> = {
  conv: (a) => (x, weight, bias) => conv2d(x, weight, bias, a),
  maxpool: (a) => (x) => maxPool(x, { kernel: a.kernel[0], stride: a.stride[0], padding: a.padding[0] }),
  avgpool: (a, name) => (x) => (name.endsWith('global') ? globalAvgPool(x) : avgPool(x, a.kernel[0])),
  linear: () => (x, weight, bias) => linear(x, weight, bias),
  relu: () => (x) => relu(x),
  relu6: () => (x) => relu6(x),
  leaky_relu: (a) => (x) => leakyRelu(x, a.slope),
  sigmoid: () => (x) => sigmoid(x),
  tanh: () => (x) => tanh(x),
  softmax: (a) => (x) => softmax(x, a.axis),
  log_softmax: (a) => (x) => logSoftmax(x, a.axis),
  add: () => (a, b) => add(a, b),
  sub: () => (a, b) => sub(a, b),
  mul: () => (a, b) => mul(a, b),
  div: () => (a, b) => div(a, b),
  mean: (a) => (x) => mean(x, { axes: a.axes, keepDims: a.keepdim }),
  sum: (a) => (x) => sum(x, { axes: a.axes, keepDims: a.keepdim }),
  max: (a) => (x) => max(x, { axes: a.axes, keepDims: a.keepdim }),
  upsample: (a) => (x) => upsample(x, a.scale[0]),
  pad: (a) => (x) => a.pads.reduce((y, [before, after], axis) => pad(y, axis, before, after), x),
  slice: (a) => (x) => a.axes.reduce((y, axis, i) => slice(y, axis, a.starts[i]!, a.ends[i]!, a.steps[i]), x),
  concat:
    (a) =>
    (...parts) =>
      concat(parts, a.axis),
  transpose: (a) => (x) => transpose(x, a.perm),
  reshape: (a) => (x) => {
    const size = x.shape.reduce((product, length) => product * length, 1);
    const known = a.shape.reduce((product, length) => (length < 0 ? product : product * length), 1);
    return reshape(
      x,
      a.shape.map((length) => (length < 0 ? size / known : length)),
    );
  },
  option_a_shortcut: (a) => (x) => {
    const before = a.planes / 4;
    return pad(slice(slice(x, 2, 0, Infinity, 2), 3, 0, Infinity, 2), 1, before, a.planes - before - x.shape[1]!);
  },
};

describe('operators agree with PyTorch', () => {
  const { tensors, metadata } = readSafetensors(join(__dirname, '../../fixtures/ops.safetensors'));
  const names = [...tensors.keys()].filter((name) => name.endsWith('/y')).map((name) => name.slice(0, -2));
  const inputsOf = (name: string) => {
    const results = ['y', 'dy', 'running_mean', 'running_var', 'new_running_mean', 'new_running_var'];
    const keys = [...tensors.keys()].filter((key) => key.startsWith(`${name}/`)).map((key) => key.split('/').at(-1)!);
    const inputs = keys.filter((key) => !results.includes(key) && keys.includes(`d${key}`));
    return ['x', 'a', 'weight', 'gamma', 'b', 'bias', 'beta', 'x0', 'x1', 'x2'].filter((key) => inputs.includes(key));
  };

  it('has cases for every operator', () => {
    const operators = new Set(names.map((name) => name.split('/')[0]!));
    expect([...operators].sort()).to.deep.equal([...Object.keys(builders), 'batchnorm'].sort());
  });

  for (const name of names) {
    const at = (key: string): NdArray => {
      const array = tensors.get(`${name}/${key}`);
      if (!array) throw new Error(`the fixture has no ${name}/${key}`);
      return array;
    };
    const attributes = JSON.parse(metadata[name] ?? '{}') as Attributes;
    const operator = name.split('/')[0]!;

    it(name, async () => {
      const keys = inputsOf(name);
      if (operator !== 'batchnorm') {
        const { y, grads } = await evaluate(builders[operator]!(attributes, name), keys.map(at), at('dy'));
        expectClose(y, at('y'), 2e-6, 'y');
        keys.forEach((key, i) => expectClose(grads[i]!, at(`d${key}`), 5e-6, `d${key}`));
        return;
      }
      const build: Build = (x, weight, bias) => {
        const buffer = (key: string): Tensor => x.graph.buffer(key, 'float32', at(key).shape, () => at(key));
        const state = {
          weight: weight,
          bias: bias,
          runningMean: buffer('running_mean'),
          runningVar: buffer('running_var'),
        };
        return attributes.training ? batchNorm(x, state) : batchNormEval(x, state);
      };
      // With a mean of 500 deviations, float32 holds x itself to 1/30,000 of a deviation only.
      const tolerance = name.includes('offset') ? 1e-3 : 5e-6;
      const { y, grads, state } = await evaluate(build, [at('x'), at('gamma'), at('beta')], at('dy'));
      expectClose(y, at('y'), tolerance, 'y');
      ['x', 'gamma', 'beta'].forEach((key, i) => expectClose(grads[i]!, at(`d${key}`), tolerance, `d${key}`));
      for (const key of ['running_mean', 'running_var']) {
        expectClose(state.get(key), at(`new_${key}`), tolerance, key);
      }
    });
  }
});
