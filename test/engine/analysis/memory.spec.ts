/** How much memory a graph takes, and what is said where there is too little. */
import { expect } from 'chai';
import { peakBytes } from '../../../engine/analysis/memory';
import { Graph } from '../../../engine/graph';
import { emitElementwise } from '../../../engine/ops/elementwise';
import { flatten, relu, sum } from '../../../engine/ops/index';
import { optimizers } from '../../../engine/optimizers/index';
import { ndarray } from '../../../formats/ndarray';
import type { Distiller } from '../../../model/distillers/index';
import type { Net } from '../../../model/nets/index';
import { memoryAdvice } from '../../../model/training/memory_advice';
import { Trainer } from '../../../model/training/trainer';
import { UserError } from '../../../utils/errors';
import { isOutOfMemory } from '../../../utils/memory';
import { trainingOptions } from '../../helpers/training';

const KB = 1000;

describe('the memory of a graph', () => {
  /** x: 1 kB, in float32. */
  const begin = () => {
    const graph = new Graph();
    return { graph, x: graph.input('x', 'float32', [250]) };
  };
  const relued = (graph: Graph, x: ReturnType<Graph['input']>) => graph.emit('Relu', [x], x.shape);

  it('is that of inputs, states and constants where nothing is made', () => {
    const { graph } = begin();
    graph.buffer('s', 'int64', [125], () => ndarray('int64', [125]));
    graph.constant(ndarray('uint8', [500]));
    expect(peakBytes(graph)).to.equal(2.5 * KB);
  });

  it('is given back after the last node that reads a tensor', () => {
    const { graph, x } = begin();
    graph.output('y', relued(graph, relued(graph, relued(graph, relued(graph, x)))));
    // x, and of what is made two at a time.
    expect(peakBytes(graph)).to.equal(3 * KB);
  });

  it('is held for what is read late, for results, and for new states', () => {
    const { graph, x } = begin();
    const state = graph.buffer('s', 'float32', [250], () => ndarray('float32', [250]));
    const first = relued(graph, x);
    graph.update(state, relued(graph, first));
    const last = emitElementwise('Add', relued(graph, relued(graph, x)), first);
    graph.output('y', last);
    // x, s, first, the new s, and two of the last three.
    expect(peakBytes(graph)).to.equal(6 * KB);
  });

  it('is not taken by another shape of the same values, which live as long as it does', () => {
    const { graph, x } = begin();
    const y = relued(graph, x);
    const view = graph.emit('Reshape', [y, graph.integers([10, 25])], [10, 25]);
    const z = relued(graph, relued(graph, x));
    graph.output('sum', emitElementwise('Add', z, graph.emit('Reshape', [view, graph.integers([250])], [250])));
    // x, y, and two of the chain or z and the sum; three integers for the shapes.
    expect(peakBytes(graph)).to.equal(4 * KB + 3 * 8);
  });

  it('is that of a result that nothing reads, for the length of its node', () => {
    const { graph, x } = begin();
    for (let i = 0; i < 5; i++) relued(graph, x);
    expect(peakBytes(graph)).to.equal(2 * KB);
  });
});

describe('a step that finds no memory', () => {
  it('says so in a line, with the batch size to try', async () => {
    const distiller: Distiller = {
      title: '',
      needsTeacher: false,
      options: {},
      losses: ({ student }) => {
        const { graph } = student.logits;
        const total = sum(student.logits);
        // 256 TB, which no process can address.
        const size = 2 ** 46;
        const huge = graph.emit('Expand', [total, graph.integers([size])], [size]);
        return {
          own: graph.vjp(graph.emit('ReduceMax', [huge], [], { attributes: { keepdims: 0 } }), [total], (grad) => [
            grad,
          ]),
        };
      },
    };
    const net: Net = (layers, x, { classes }) => {
      const pooled = relu(layers.linear('fc1', flatten(x), 6));
      return { logits: layers.linear('fc2', pooled, classes), pooled, features: {} };
    };
    const model = {
      net,
      options: { classes: 3, numChannels: 1, dropoutRate: 0 },
      normalize: { mean: [0.5], std: [0.25] },
      input: [1, 4, 4] as const,
    };
    const settings = { learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0 };
    const methods = [{ name: 'own', distiller, options: {} }];
    const trainer = Trainer.create(model, [8, 5], {
      ...trainingOptions(optimizers.sgd!.make(settings), 8, { methods }),
      threads: 1,
    });
    const batch = { images: new Uint8Array(80), labels: new Int32Array(5), indices: new Uint32Array(5), size: 5 };
    const moment = { step: 1, epoch: 1, epochs: 1, learningRate: 0.1 };
    const error = await trainer.step(batch, moment).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(UserError);
    expect((error as UserError).message).to.match(
      /^out of memory: steps on 8 images need about 1125899.\d GB, but [\d.]+ GB are available; try "batch_size": 1, and multiply "accumulate" by 8 to keep the number of images per optimizer step$/,
    );
    await trainer.release();
  });

  it('is advised by what is needed and what is there', () => {
    const size = (batch: number, needed?: number, present?: number) =>
      /"batch_size": (\d+), and multiply "accumulate" by (\d+)/
        .exec(memoryAdvice(batch, needed, present))!
        .slice(1)
        .map(Number);
    expect(size(128)).to.deep.equal([64, 2]);
    expect(size(128, 9e9, 8e9)).to.deep.equal([64, 2]);
    expect(size(128, 17e9, 8e9)).to.deep.equal([32, 4]);
    expect(size(100, 70e9, 8e9)).to.deep.equal([6, 16]);
    expect(size(3, 70e9, 8e9)).to.deep.equal([1, 2]);
    expect(memoryAdvice(1, 70e9, 8e9)).to.equal(
      'steps on 1 image need about 70.0 GB, but 8.0 GB are available; use a smaller network',
    );
  });

  it('is told from other errors', () => {
    for (const message of [
      'Failed to allocate memory for requested buffer of size 19070976',
      'std::bad_alloc',
      'Array buffer allocation failed',
      'CUDA failure 2: out of memory',
    ]) {
      expect(isOutOfMemory(new Error(message)), message).to.equal(true);
    }
    expect(isOutOfMemory(new Error('no such file'))).to.equal(false);
  });
});
