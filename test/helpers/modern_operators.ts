/** Cases of the operators that the networks of others have. */
import * as ops from '../../engine/ops';
import { ndarray } from '../../formats/ndarray';
import { float32 } from './engine';
import {
  awayFrom,
  between,
  binary,
  distinct,
  matrix,
  reduction,
  unary,
  x4,
  type OperatorCase,
} from './operator_inputs';

const indices = (shape: readonly number[], places: readonly number[]) =>
  ndarray('int64', shape, BigInt64Array.from(places, BigInt));

/** Values that differ from those of `distinct` of the same shape by at least 2^-5 each. */
const between2 = (shape: readonly number[]) => {
  const values = distinct(shape).data;
  return float32(
    shape,
    values.map((value, i) => value + (i % 2 === 0 ? 2 ** -5 : -(2 ** -5))),
  );
};

const extremum = (build: typeof ops.maximum): Record<string, OperatorCase> => ({
  alike: { inputs: [distinct([3, 5]), between2([3, 5])], build },
  'with a number': unary((x) => build(x, 1 / 32), distinct([3, 5])),
});

const normalized = (
  shape: readonly number[],
  affine: readonly number[],
  build: OperatorCase['build'],
): OperatorCase => ({
  inputs: [between(-2, 2, shape), between(0.5, 2, affine), between(-2, 2, affine)],
  build,
});

function transposed(x: number[], weight: number[], options: Parameters<typeof ops.convTranspose2d>[3]): OperatorCase {
  const features = weight[1]! * (options?.groups ?? 1);
  return {
    inputs: [between(-1, 1, x), between(-1, 1, weight), between(-1, 1, [features])],
    build: (input, kernel, bias) => ops.convTranspose2d(input, kernel, bias, options),
  };
}

const activation = (build: OperatorCase['build'], kinks: readonly number[] = []) => ({
  '': { inputs: [awayFrom(kinks, [4, 8])], build },
});

export const modernOperators = {
  pow: {
    ...binary((a, b) => ops.pow(typeof a === 'number' ? a : ops.add(ops.square(a), 0.25), b)),
    'cube of any sign': unary((x) => ops.pow(x, 3), awayFrom([0], [3, 5])),
  },
  reciprocal: { '': unary(ops.reciprocal, between(0.5, 2, [3, 5])) },
  sin: { '': unary(ops.sin) },
  cos: { '': unary(ops.cos) },
  erf: { '': unary(ops.erf) },
  maximum: extremum(ops.maximum),
  minimum: extremum(ops.minimum),
  clip: {
    both: unary((x) => ops.clip(x, -0.5, 1.5), awayFrom([-0.5, 1.5], [4, 8])),
    below: unary((x) => ops.clip(x, -0.5), awayFrom([-0.5], [4, 8])),
  },
  where: {
    '': {
      inputs: [between(-2, 2, [4, 1, 5]), between(-1, 2, [3, 1])],
      build: (a, b) =>
        ops.where(
          a.graph.constant(
            ndarray(
              'bool',
              [3, 5],
              Uint8Array.from({ length: 15 }, (_, i) => i % 2),
            ),
          ),
          a,
          b,
        ),
    } satisfies OperatorCase,
  },
  silu: activation(ops.silu),
  gelu: activation(ops.gelu),
  geluTanh: activation(ops.geluTanh),
  hardSigmoid: {
    pytorch: unary((x) => ops.hardSigmoid(x), awayFrom([-3, 3], [4, 8])),
    onnx: unary((x) => ops.hardSigmoid(x, 0.25, 0.5), awayFrom([-2, 2], [4, 8])),
  },
  hardSwish: activation(ops.hardSwish, [-3, 3]),
  mish: activation(ops.mish),
  elu: {
    default: unary((x) => ops.elu(x), awayFrom([0], [4, 8])),
    selu: unary((x) => ops.elu(x, { alpha: 1.67, gamma: 1.05 }), awayFrom([0], [4, 8])),
  },
  prelu: {
    shared: { inputs: [awayFrom([0], [4, 8]), between(-1, 1, [1])], build: ops.prelu },
    'per channel': { inputs: [awayFrom([0], [2, 3, 4]), between(-1, 1, [3, 1])], build: ops.prelu },
  },
  logSumExp: reduction(ops.logSumExp, x4),
  norm2: reduction(ops.norm2, x4),
  min: reduction(ops.min, distinct([2, 3, 2, 5])),
  expand: {
    places: unary((x) => ops.expand(x, [2, 3, 4]), between(-2, 2, [2, 1, 4])),
    'axes in front': unary((x) => ops.expand(x, [2, 3, 5]), between(-2, 2, [3, 1])),
  },
  tile: { '': unary((x) => ops.tile(x, [2, 1, 3]), between(-2, 2, [2, 3, 2])) },
  gather: {
    order: unary((x) => ops.gather(x, 1, indices([3], [2, 0, 1])), x4),
    some: unary((x) => ops.gather(x, 2, indices([2], [3, 1])), x4),
    one: unary((x) => ops.gather(x, 0, indices([], [1])), x4),
    'some again and again': unary((x) => ops.gather(x, 1, indices([2, 3], [0, 2, 2, 1, 0, 2])), x4),
  },
  resample: {
    columns: unary((x) => ops.resample(x, 3, between(0, 1, [7, 5])), x4),
    rows: unary((x) => ops.resample(x, 2, between(0, 1, [3, 4])), x4),
  },
  depthToSpace: {
    CRD: unary((x) => ops.depthToSpace(x, 2), between(-2, 2, [2, 8, 2, 3])),
    DCR: unary((x) => ops.depthToSpace(x, 2, 'DCR'), between(-2, 2, [2, 8, 2, 3])),
  },
  spaceToDepth: { '': unary((x) => ops.spaceToDepth(x, 2), between(-2, 2, [2, 2, 4, 6])) },
  padEdges: {
    reflect: unary((x) => ops.padEdges(x, 3, 2, 3, 'reflect'), x4),
    edge: unary((x) => ops.padEdges(x, 2, 2, 1, 'edge'), x4),
  },
  einsum: {
    attention: {
      inputs: [between(-2, 2, [2, 3, 4, 5]), between(-2, 2, [2, 3, 2, 5])],
      build: (a, b) => ops.einsum('bhid,bhjd->bhij', [a, b]),
    } satisfies OperatorCase,
    'heads in the middle': {
      inputs: [between(-2, 2, [2, 4, 3, 5]), between(-2, 2, [2, 6, 3, 5])],
      build: (a, b) => ops.einsum('nqhd,nkhd->nhqk', [a, b]),
    } satisfies OperatorCase,
    'with a sum': {
      inputs: [x4, between(-2, 2, [3, 2])],
      build: (a, b) => ops.einsum('abcd,bk->akc', [a, b]),
    } satisfies OperatorCase,
    order: unary((x) => ops.einsum('abcd->dca', [x]), x4),
  },
  convTranspose2d: {
    '2x2 with stride 2': transposed([2, 4, 3, 4], [4, 3, 2, 2], { stride: 2 }),
    '3x3 with stride 2 and output padding': transposed([2, 3, 3, 4], [3, 2, 3, 3], {
      stride: 2,
      padding: 1,
      outputPadding: 1,
    }),
    '3x3 in 2 groups': transposed([2, 4, 4, 3], [4, 3, 3, 3], { padding: 1, groups: 2 }),
    '4x4 depthwise with stride 2': transposed([2, 3, 3, 3], [3, 1, 4, 4], { stride: 2, padding: 1, groups: 3 }),
  },
  channelNorm: {
    '': normalized([2, 5, 3, 4], [5], (x, weight, bias) => ops.channelNorm(x, { weight, bias })),
    plain: unary((x) => ops.channelNorm(x), x4),
  },
  layerNorm: {
    'last axis': normalized([2, 3, 6], [6], (x, weight, bias) => ops.layerNorm(x, 2, { weight, bias })),
    'two axes': normalized([3, 2, 4], [2, 4], (x, weight, bias) => ops.layerNorm(x, 1, { weight, bias })),
    plain: unary((x) => ops.layerNorm(x, 1), x4),
  },
  groupNorm: {
    'two groups': normalized([2, 4, 3, 3], [4], (x, weight, bias) => ops.groupNorm(x, 2, { weight, bias })),
    'each channel': normalized([2, 3, 4, 2], [3], (x, weight, bias) => ops.groupNorm(x, 3, { weight, bias })),
  },
  rmsNorm: {
    '': {
      inputs: [between(-2, 2, [2, 3, 6]), between(0.5, 2, [6])],
      build: (x, weight) => ops.rmsNorm(x, 2, { weight }),
    } satisfies OperatorCase,
  },
  lpNorm: {
    2: unary((x) => ops.lpNorm(x, 1), matrix),
    1: unary((x) => ops.lpNorm(x, 1, 1), awayFrom([0], [3, 5])),
  },
};
