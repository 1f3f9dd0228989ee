/** Operators of ONNX that have weights: convolutions, linear layers and norms. */
import type { Pair } from '../../../ops/conv_hints';
import * as ops from '../../../ops/index';
import type { Tensor } from '../../../tensor';
import { isKnown, isStored, type Call, type Role } from '../call';
import type { Operators } from './operator';

/** By their names in ONNX. */
export const layerOperators: Operators = {
  Conv: (call) => convolution(call),
  ConvTranspose: (call) => transposedConvolution(call),
  Gemm: (call) => gemm(call),
  MatMul: (call) => matmul(call),
  Einsum: (call) =>
    ops.einsum(
      call.text('equation', ''),
      call.inputs.map((_, i) => call.tensor(i)),
    ),
  BatchNormalization: (call) => batchNorm(call),
  InstanceNormalization: (call) => {
    const x = call.tensor(0);
    return ops.groupNorm(x, x.shape[1]!, { ...affine(call), eps: call.float('epsilon', 1e-5) });
  },
  GroupNormalization: (call) => groupNorm(call),
  LayerNormalization: (call) => {
    onlyFirst(call);
    const x = call.tensor(0);
    return ops.layerNorm(x, call.axis(x.shape.length, -1), { ...affine(call), eps: call.float('epsilon', 1e-5) });
  },
  RMSNormalization: (call) => {
    const x = call.tensor(0);
    const weight = call.optional(1, { of: 'scale' });
    return ops.rmsNorm(x, call.axis(x.shape.length, -1), { weight, eps: call.float('epsilon', 1e-5) });
  },
  LpNormalization: (call) => {
    const x = call.tensor(0);
    return ops.lpNorm(x, call.axis(x.shape.length, -1), call.integer('p', 2) === 1 ? 1 : 2);
  },
  Attention: (call) => attention(call),
};

function affine(call: Call): { weight: Tensor | undefined; bias: Tensor | undefined } {
  return { weight: call.optional(1, { of: 'scale' }), bias: call.optional(2, { of: 'shift' }) };
}

/** The mean and variance of the batch, or of a layer, as further outputs. */
function onlyFirst(call: Call): void {
  if (call.node.outputs.slice(1).some((name) => name !== '')) call.fail('has more than one output');
}

/** Rows and columns of an attribute; of one axis where the maps have one. */
function pair(values: readonly number[] | undefined, absent: number): Pair {
  return values ? [values[0]!, values[1]!] : [absent, absent];
}

/** What is added before and after the rows and the columns. */
export function padsOf(
  call: Call,
  size: readonly number[],
  kernel: Pair,
  stride: Pair,
  dilation: Pair,
): readonly [Pair, Pair] {
  const auto = call.text('auto_pad', 'NOTSET');
  const pads = call.integers('pads') ?? [0, 0, 0, 0];
  if (auto === 'NOTSET')
    return [
      [pads[0]!, pads[2]!],
      [pads[1]!, pads[3]!],
    ];
  const amounts = [0, 1].map((i): Pair => {
    if (auto === 'VALID') return [0, 0];
    const out = Math.ceil(size[i]! / stride[i]!);
    const total = Math.max(0, (out - 1) * stride[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - size[i]!);
    const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
    return auto === 'SAME_LOWER' ? [more, less] : [less, more];
  });
  return [amounts[0]!, amounts[1]!];
}

/** The maps with what cannot be given to the operator added, and what can. */
export function padded(x: Tensor, [rows, columns]: readonly [Pair, Pair], value = 0): { x: Tensor; padding: Pair } {
  if (rows[0] === rows[1] && columns[0] === columns[1] && rows[0] >= 0 && columns[0] >= 0) {
    return { x, padding: [rows[0], columns[0]] };
  }
  const tall = rows[0] + rows[1] > 0 ? ops.pad(x, 2, ...rows, value) : x;
  return { x: columns[0] + columns[1] > 0 ? ops.pad(tall, 3, ...columns, value) : tall, padding: [0, 0] };
}

/** One axis more in front of the last, so that what has one axis of places is a map of one row. */
function asMap(call: Call, x: Tensor): Tensor {
  const { shape } = x;
  if (shape.length === 4) return x;
  if (shape.length !== 3) return call.fail(`takes ${shape.length - 2} axes of places, accepted are 1 and 2`);
  return ops.reshape(x, [shape[0]!, shape[1]!, 1, shape[2]!]);
}

function convolution(call: Call): Tensor {
  const kernelShape = call.shape(1);
  const role: Role = { of: 'weight', fanIn: kernelShape.slice(1).reduce((a, b) => a * b, 1) };
  const isLine = kernelShape.length === 3;
  const [input, weight] = [asMap(call, call.tensor(0)), asMap(call, call.tensor(1, role))];
  const list = (name: string) => {
    const values = call.integers(name);
    return values && isLine ? (name === 'pads' ? [0, values[0]!, 0, values[1]!] : [1, values[0]!]) : values;
  };
  const [stride, dilation] = [pair(list('strides'), 1), pair(list('dilations'), 1)];
  const kernel: Pair = [weight.shape[2]!, weight.shape[3]!];
  const lined = list('pads') ?? [0, 0, 0, 0];
  const pads: readonly [Pair, Pair] = isLine
    ? [
        [0, 0],
        [lined[1]!, lined[3]!],
      ]
    : padsOf(call, input.shape.slice(2), kernel, stride, dilation);
  const { x, padding } = padded(input, pads);
  const bias = call.optional(2, { of: 'bias', fanIn: role.fanIn });
  const y = ops.conv2d(x, weight, bias, { stride, padding, dilation, groups: call.integer('group', 1) });
  return isLine ? ops.reshape(y, [y.shape[0]!, y.shape[1]!, y.shape[3]!]) : y;
}

function transposedConvolution(call: Call): Tensor {
  const [x, kernelShape] = [call.tensor(0), call.shape(1)];
  const fanIn = kernelShape.slice(1).reduce((a, b) => a * b, 1);
  if (kernelShape.length !== 4) call.fail('has not two axes of places');
  const pads = call.integers('pads') ?? [0, 0, 0, 0];
  const isPlain = pads[0] === pads[2] && pads[1] === pads[3] && call.text('auto_pad', 'NOTSET') === 'NOTSET';
  if (!isPlain || call.integers('output_shape')) call.fail('pads unevenly or has an output_shape');
  return ops.convTranspose2d(x, call.tensor(1, { of: 'weight', fanIn }), call.optional(2, { of: 'bias', fanIn }), {
    stride: pair(call.integers('strides'), 1),
    padding: [pads[0]!, pads[1]!],
    dilation: pair(call.integers('dilations'), 1),
    groups: call.integer('group', 1),
    outputPadding: pair(call.integers('output_padding'), 0),
  });
}

function gemm(call: Call): Tensor {
  const [transA, transB] = [call.integer('transA', 0) === 1, call.integer('transB', 0) === 1];
  const [alpha, beta] = [call.float('alpha', 1), call.float('beta', 1)];
  const fanIn = call.shape(1)[transB ? 1 : 0]!;
  const [a, b] = [call.tensor(0), call.tensor(1, { of: 'weight', fanIn })];
  const c = call.optional(2, { of: 'bias', fanIn });
  const isLinear = !transA && transB && alpha === 1 && beta === 1;
  if (isLinear && (!c || (c.shape.length === 1 && c.shape[0] === b.shape[0]))) return ops.linear(a, b, c);
  const product = ops.matmul(transA ? ops.transpose(a, [1, 0]) : a, transB ? ops.transpose(b, [1, 0]) : b);
  const scaled = alpha === 1 ? product : ops.mul(product, alpha);
  return c ? ops.add(scaled, beta === 1 ? c : ops.mul(c, beta)) : scaled;
}

function matmul(call: Call): Tensor {
  const role: Role = { of: 'weight', fanIn: call.shape(1).at(-2) ?? 1 };
  const [a, b] = [call.tensor(0), call.tensor(1, role)];
  if (a.shape.length < 2 || b.shape.length < 2) call.fail('multiplies a vector: reshape it to a matrix');
  return ops.matmul(a, b);
}

function groupNorm(call: Call): Tensor {
  const x = call.tensor(0);
  const groups = call.integer('num_groups', 1);
  const { weight, bias } = affine(call);
  const [, channels = 0] = x.shape;
  // Before version 21 of ONNX's operators, scale and offset are those of a group.
  const each = (values: Tensor | undefined) =>
    values && values.shape[0] !== channels
      ? ops.reshape(ops.expand(ops.reshape(values, [groups, 1]), [groups, channels / groups]), [channels])
      : values;
  return ops.groupNorm(x, groups, { weight: each(weight), bias: each(bias), eps: call.float('epsilon', 1e-5) });
}

function batchNorm(call: Call): Tensor {
  const state = (i: number) => {
    const value = call.value(i);
    if (isStored(value) || isKnown(value)) return value;
    return call.fail('computes its weights or statistics from other values');
  };
  const statistics = (i: number) => {
    const value = state(i);
    return isStored(value) ? value : { ...value, name: value.name ?? call.node.inputs[i]! };
  };
  return call.around.layers.batchNorm(
    call.tensor(0),
    { weight: state(1), bias: state(2), mean: statistics(3), variance: statistics(4) },
    { eps: call.float('epsilon', 1e-5), momentum: 1 - call.float('momentum', 0.9) },
  );
}

/** Scaled dot-product attention of (N, heads, L, D), as version 23 of ONNX's operators has it. */
function attention(call: Call): Tensor {
  onlyFirst(call);
  const [q, k, v] = [call.tensor(0), call.tensor(1), call.tensor(2)];
  const isPlain = [q, k, v].every(({ shape }) => shape.length === 4) && q.shape[1] === k.shape[1];
  if (!isPlain || call.has(4) || call.integer('is_causal', 0) === 1 || call.float('softcap', 0) !== 0) {
    call.fail('is not plain attention of (N, heads, L, D)');
  }
  const scale = call.float('scale', 1 / Math.sqrt(q.shape[3]!));
  const scores = ops.mul(ops.matmulTransposed(q, k), scale);
  const mask = call.known(3);
  const bias = () =>
    mask?.kind === 'bool'
      ? { ...mask, kind: 'float' as const, data: mask.data.map((keeps) => (keeps ? 0 : -1e30)) }
      : undefined;
  const masked = call.has(3)
    ? ops.add(
        scores,
        mask?.kind === 'bool' ? call.around.tensorOf({ known: bias()! }, { of: 'other' }) : call.tensor(3),
      )
    : scores;
  return ops.matmul(ops.softmax(masked), v);
}
