/**
 * Tests engine/backends/tensorflow/kernels/. Every operator on values whose channels lie last on the device, as behind a
 * convolution: the same as on the CPU.
 */
import { expect } from 'chai';
import { gradients } from '../../../../engine/autodiff';
import type { Backend, Results } from '../../../../engine/backends';
import { openTensorflow } from '../../../../engine/backends/tensorflow';
import { Graph } from '../../../../engine/graph';
import * as ops from '../../../../engine/ops';
import { Session, State } from '../../../../engine/session';
import type { Tensor } from '../../../../engine/tensor';
import { ndarray, sizeOf } from '../../../../formats/ndarray';
import { expectClose, float32, type Build } from '../../../helpers/engine';
import { operators, type OperatorCase } from '../../../helpers/operators';

/** The same values, but with the channels last: a pool leaves them so. */
function channelsLast(x: Tensor): Tensor {
  return x.shape.length === 4 ? ops.maxPool(x, { kernel: 1 }) : x;
}

const x4 = float32(
  [2, 3, 4, 5],
  Array.from({ length: 120 }, (_, i) => Math.cos(7 * i)),
);
const on = (build: Build): OperatorCase => ({ inputs: [x4], build });

/** What the operators' own cases leave out because it makes no difference elsewhere. */
const arrangements: Record<string, OperatorCase> = {
  'sum over rows': on((x) => ops.sum(x, { axes: [2] })),
  'sum over columns and images': on((x) => ops.sum(x, { axes: [0, 3] })),
  'mean over channels': on((x) => ops.mean(x, { axes: [1] })),
  'max over columns, kept': on((x) => ops.max(x, { axes: [3], keepDims: true })),
  'channels last for good': on((x) => ops.transpose(x, [0, 2, 3, 1])),
  'there and back': on((x) => ops.transpose(ops.mul(ops.transpose(x, [0, 2, 3, 1]), 2), [0, 3, 1, 2])),
  'maps as vectors': on((x) => ops.reshape(x, [2, 3, 20])),
  'maps with another axis': on((x) => ops.reshape(x, [2, 3, 2, 2, 5])),
  'channels and maps joined': on((x) => ops.reshape(x, [2, 12, 5])),
  'images joined': on((x) => ops.reshape(x, [1, 6, 4, 5])),
  'images in another number': on((x) => ops.reshape(x, [4, 3, 10])),
  'plus itself transposed twice': on((x) => ops.add(x, ops.transpose(ops.transpose(x, [1, 0, 3, 2]), [1, 0, 3, 2]))),
  'a row broadcast': on((x) => ops.add(x, x.graph.constant(float32([5], [1, 2, 3, 4, 5])))),
  'concat of rows': on((x) => ops.concat([x, ops.mul(x, 2)], 2)),
  'pad of columns': on((x) => ops.pad(x, 3, 1, 2)),
  'slice of channels': on((x) => ops.slice(x, 1, 1, 3)),
  'a convolution with stride and dilation': on((x) => {
    const weight = float32(
      [2, 3, 2, 2],
      Array.from({ length: 24 }, (_, i) => Math.sin(i)),
    );
    return ops.conv2d(x, x.graph.constant(weight), undefined, { stride: 2, dilation: 2 });
  }),
};

describe('channels that lie last on the device make no difference to', function () {
  this.timeout(20_000);
  let backend: Backend;
  before(async () => ({ backend } = await openTensorflow()));

  function graphOf({ inputs, build }: OperatorCase): Graph {
    const graph = new Graph();
    const tensors = inputs.map((array, i) => graph.parameter(`x${i}`, array.shape, () => array));
    const y = channelsLast(build(...tensors.map(channelsLast)));
    const cotangent = ndarray(
      'float32',
      y.shape,
      Float32Array.from({ length: sizeOf(y.shape) }, (_, i) => Math.sin(i)),
    );
    graph.output('y', y);
    gradients(ops.sum(ops.mul(y, graph.constant(cotangent))), tensors).forEach((grad, i) =>
      graph.output(`d${i}`, grad),
    );
    return graph;
  }

  async function results(graph: Graph, one?: Backend): Promise<Results> {
    const session = await Session.create(graph, { backend: one, threads: 1 });
    const found = await session.run({}, State.initial(graph));
    await session.release();
    return found;
  }

  for (const [operator, cases] of Object.entries({ ...operators, arrangements })) {
    const chosen = Object.entries(cases).filter(([, { inputs }]) => inputs.some(({ shape }) => shape.length === 4));
    if (chosen.length === 0) continue;
    it(operator, async () => {
      for (const [name, one] of chosen) {
        const graph = graphOf(one);
        const expected = await results(graph);
        const found = await results(graph, backend);
        expect(Object.keys(found)).to.deep.equal(Object.keys(expected));
        for (const [key, array] of Object.entries(expected)) expectClose(found[key]!, array, 1e-5, `${name}: ${key}`);
      }
    });
  }
});
