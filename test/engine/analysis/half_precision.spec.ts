/** Mixed precision: which nodes are computed in float16, and that training comes to nearly the same. */
import { expect } from 'chai';
import { inHalfPrecision } from '../../../engine/analysis/half_precision';
import { Graph } from '../../../engine/graph';
import { rewrite } from '../../../engine/onnx/rewrite';
import {
  add,
  conv2d,
  linear,
  matmul,
  matmulTransposed,
  mul,
  relu,
  reshape,
  sub,
  sum,
  transpose,
} from '../../../engine/ops/index';
import { sgd } from '../../../engine/optimizers/index';
import { Session, State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, type NdArray } from '../../../formats/ndarray';
import { nets } from '../../../model/nets/index';
import { trainingGraph } from '../../../model/training/step_graph';
import { Random } from '../../../utils/random';
import { float32 } from '../../helpers/engine';
import { trainingOptions } from '../../helpers/training';

/** ONNX's numbers of element types. */
const [FLOAT, FLOAT16] = [1, 10];
/** Between two numbers of float16, nearer to 1. */
const BETWEEN = 1 + 2 ** -12;

/**
 * The graph in half precision with the casts to and from float16 as arithmetic, by Veltkamp's splitting: c − (c − x) with
 * c = (2¹³ + 1) x has the 11 bits of x that float16 keeps. ONNX Runtime leaves most casts out on the CPU, which has few
 * kernels for float16.
 */
function rounding(source: Graph): Graph {
  return rewrite(inHalfPrecision(source), ({ opType, inputs, attributes }, rewriter) => {
    if (opType !== 'Cast' || inputs[0]!.dtype !== 'float32' || ![FLOAT, FLOAT16].includes(Number(attributes.to))) {
      return undefined;
    }
    const x = rewriter.lookup(inputs[0]!);
    const c = mul(x, 2 ** 13 + 1);
    return [sub(c, sub(c, x))];
  });
}

/** The first value of `build` at an image of (1, 1, 2, 2) full of that number, and a kernel full of 0.5. */
async function valueOf(build: (x: Tensor, kernel: Tensor) => Tensor): Promise<number> {
  const graph = new Graph();
  const shape = [1, 1, 2, 2];
  const filled = (value: number) => float32(shape, new Float32Array(4).fill(value));
  graph.output('y', build(graph.input('x', 'float32', shape), graph.input('kernel', 'float32', shape)));
  const session = await Session.create(rounding(graph));
  const { y } = await session.run({ x: filled(BETWEEN), kernel: filled(0.5) });
  await session.release();
  return Number(y!.data[0]);
}

/** Types that the casts in front of a node and behind it are to, in ONNX's numbers. */
function castsAt(opType: string, graph: Graph): unknown[] {
  const node = graph.nodes.find((one) => one.opType === opType)!;
  const before = node.inputs.map((input) => graph.nodes.find(({ outputs }) => outputs.includes(input!)));
  const behind = graph.nodes.filter(({ inputs }) => inputs.includes(node.outputs[0]));
  return [...before, ...behind].map((one) => (one?.opType === 'Cast' ? one.attributes.to : undefined));
}

describe('half precision', function () {
  this.timeout(60_000);

  it('rounds the factors of a convolution, and nothing else', async () => {
    expect(await valueOf((x, kernel) => conv2d(x, kernel))).to.equal(2);
    expect(await valueOf((x, kernel) => mul(x, kernel))).to.equal(BETWEEN / 2);
    expect(await valueOf((x) => sum(x, { axes: [3] }))).to.equal(2 * BETWEEN);
    expect(await valueOf((x) => transpose(x, [0, 1, 3, 2]))).to.equal(BETWEEN);
    expect(await valueOf((x, kernel) => add(conv2d(x, kernel), x))).to.equal(2 + BETWEEN);
  });

  it('casts the factors of products to float16, and these to float32', () => {
    const builds = { MatMul: matmul, Gemm: linear, FusedMatMul: matmulTransposed };
    for (const [opType, build] of Object.entries(builds)) {
      const graph = new Graph();
      const [a, b] = ['a', 'b'].map((name) => graph.input(name, 'float32', [2, 2])) as [Tensor, Tensor];
      graph.output('y', relu(build(a, b)));
      expect(castsAt(opType, inHalfPrecision(graph)), opType).to.deep.equal([FLOAT16, FLOAT16, FLOAT]);
      expect(castsAt('Relu', inHalfPrecision(graph))).to.deep.equal([FLOAT]);
    }
  });

  it('arranges factors in it where nothing else reads them', () => {
    const build = (alsoRead: boolean) => {
      const graph = new Graph();
      const x = graph.input('x', 'float32', [2, 2]);
      const turned = transpose(reshape(x, [2, 2]), [1, 0]);
      graph.output('y', matmul(turned, turned));
      if (alsoRead) graph.output('z', relu(turned));
      return inHalfPrecision(graph);
    };
    expect(castsAt('Reshape', build(false))[0]).to.equal(FLOAT16);
    expect(castsAt('MatMul', build(false)).slice(0, 2)).to.deep.equal([undefined, undefined]);
    expect(castsAt('Reshape', build(true))[0]).to.equal(undefined);
    expect(castsAt('MatMul', build(true)).slice(0, 2)).to.deep.equal([FLOAT16, FLOAT16]);
  });

  it('casts a weight once, however many convolutions read it', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [1, 2, 4, 4]);
    const weight = graph.parameter('w', [2, 2, 3, 3], () => ndarray('float32', [2, 2, 3, 3]));
    graph.output('y', conv2d(conv2d(x, weight), weight, undefined, { padding: 1 }));
    const casts = inHalfPrecision(graph).nodes.filter(({ opType, inputs }) => {
      return opType === 'Cast' && inputs[0]!.name === 'w';
    });
    expect(casts).to.have.length(1);
  });

  it('gives models whose types fit', async () => {
    for (const name of ['cnn', 'mobilenetv2', 'shufflenetg2']) {
      const options = { classes: 10, numChannels: 4, dropoutRate: 0.5 };
      const input = [3, 32, 32] as const;
      const model = { net: nets[name]!.build, options, normalize: { mean: [0, 0, 0], std: [1, 1, 1] }, input };
      const graph = trainingGraph(model, trainingOptions(sgd(), 2, { scalesLoss: true }));
      await (await Session.create(graph, { threads: 1, precision: 'float16' })).release();
    }
  });

  it('trains as float32 does', async () => {
    const model = {
      net: nets.resnet8!.build,
      options: { classes: 10, numChannels: 8, dropoutRate: 0 },
      normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
      input: [3, 8, 8] as const,
    };
    const random = new Random(1, 'pixels');
    const pixels = Uint8Array.from({ length: 8 * 192 }, (_, i) => random.integer(256, i));
    const graph = trainingGraph(model, trainingOptions(sgd({ momentum: 0.9 }), 8, { scalesLoss: true }));
    const feeds: Record<string, NdArray> = {
      images: ndarray('uint8', [8, 3, 8, 8], pixels),
      labels: ndarray(
        'int32',
        [8],
        Int32Array.from({ length: 8 }, (_, i) => i),
      ),
    };
    const [whole, mixed] = await Promise.all(
      [graph, rounding(graph)].map(async (computed) => {
        const session = await Session.create(computed, { threads: 1 });
        const state = State.initial(graph);
        const losses: number[] = [];
        for (let step = 1; step <= 15; step++) {
          const rates = graph.feeds({ seed: 0, step, epoch: 1, epochs: 1, learningRate: 0.02 });
          losses.push(Number((await session.run({ ...feeds, ...rates }, state)).loss!.data[0]));
        }
        await session.release();
        return losses;
      }),
    );
    expect(whole!.at(-1)).to.be.below(0.5 * whole![0]!);
    const difference = Math.max(...mixed!.map((loss, i) => Math.abs(loss - whole![i]!)));
    expect(difference).to.be.within(1e-5, 1e-2);
  });
});
