/** The two graphs of a run: the training step, and the evaluation of a batch of any size. */
import { Graph } from '../engine/graph';
import { minimize, type Optimizer } from '../engine/optimizers';
import { add, mul, oneHot } from '../engine/ops';
import { raw } from '../engine/ops/elementwise';
import type { Tensor } from '../engine/tensor';
import { Random } from '../utils/random';
import { ndarray, sizeOf, type NdArray } from '../utils/ndarray';
import type { Distiller, Setting } from './distillers';
import { crossEntropy } from './distillers/nokd';
import { Layers } from './layers';
import type { Net, NetOptions } from './nets';

/** Mean and standard deviation by channel, of pixels in [0, 1]. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** A network and what stands between it and the stored pixels. */
export interface Model {
  readonly net: Net;
  readonly options: NetOptions;
  readonly normalize: Normalization;
  /** Channels, height, width. */
  readonly input: readonly [number, number, number];
}

export interface TrainingOptions extends Pick<Setting, 'alpha' | 'temperature' | 'klReduction'> {
  readonly batchSize: number;
  readonly seed: number;
  readonly distiller: Distiller;
  readonly optimizer: Optimizer;
}

/**
 * One optimizer step on a batch: forward pass, losses, gradients, update.
 * Feeds: images uint8 (N, C, H, W), labels int32 (N), teacherLogits float32 (N, classes) where the method needs a
 * teacher, the optimizer's scalars, dropout masks. Outputs: loss, each named loss, correct (how many).
 */
export function trainingGraph(model: Model, options: TrainingOptions): Graph {
  const { batchSize, seed, distiller, optimizer, alpha, temperature, klReduction } = options;
  const { classes } = model.options;
  const graph = new Graph();
  const labels = graph.input('labels', 'int32', [batchSize]);
  const student = model.net(new Layers(graph, { mode: 'train', seed }), normalizedImages(graph, model, batchSize), {
    ...model.options,
  });
  const teacherLogits = distiller.needsTeacher
    ? graph.input('teacherLogits', 'float32', [batchSize, classes])
    : undefined;
  const losses = distiller.losses({
    student,
    labels,
    classes,
    alpha,
    temperature,
    klReduction,
    ...(teacherLogits && { teacherLogits }),
  });
  const loss = Object.values(losses).reduce(add);
  minimize(loss, optimizer);
  graph.output('loss', loss);
  for (const [name, value] of Object.entries(losses)) graph.output(`loss/${name}`, value);
  graph.output('correct', correct(student.logits, labels));
  return graph;
}

/**
 * Evaluation in the open batch size: feeds images and labels; outputs logits, crossEntropy (mean), correct (how many).
 */
export function evaluationGraph(model: Model): Graph {
  const graph = new Graph();
  const labels = graph.input('labels', 'int32', [1]);
  const { logits } = model.net(
    new Layers(graph, { mode: 'eval', seed: 0 }),
    normalizedImages(graph, model, 1),
    model.options,
  );
  graph.output('logits', logits);
  graph.output('crossEntropy', crossEntropy(logits, labels));
  graph.output('correct', correct(logits, labels));
  return graph;
}

/** Names and shapes of a graph's parameters and buffers, in PyTorch's order. */
export function shapesOf(graph: Graph): Map<string, readonly number[]> {
  return new Map([...graph.states].map(([name, { tensor }]) => [name, tensor.shape]));
}

/** How many values the optimizer trains. */
export function parameterCount(graph: Graph): number {
  const trained = [...graph.states.values()].filter(({ trainable }) => trainable);
  return trained.reduce((total, { tensor }) => total + sizeOf(tensor.shape), 0);
}

/** The dropout masks of a step, as feeds: a mask depends on (seed, layer, step) alone. */
export function maskFeeds(graph: Graph, seed: number, step: number): Record<string, NdArray> {
  const feeds: Record<string, NdArray> = {};
  for (const [name, { tensor, rate }] of graph.masks) {
    const data = new Float32Array(sizeOf(tensor.shape));
    new Random(seed, name).fillUniform(data, 0, 1, step);
    for (let i = 0; i < data.length; i++) data[i] = data[i]! < rate ? 0 : 1 / (1 - rate);
    feeds[name] = ndarray('float32', tensor.shape, data);
  }
  return feeds;
}

/** (p / 255 − mean) / std of uint8 pixels p that are fed as `images` (N, C, H, W). */
export function normalizedImages(
  graph: Graph,
  { input, normalize }: Pick<Model, 'input' | 'normalize'>,
  batchSize: number,
): Tensor {
  const images = graph.input('images', 'uint8', [batchSize, ...input]);
  const pixels = graph.emit('Cast', [images], images.shape, { dtype: 'float32', attributes: { to: 1 } });
  const perChannel = (values: readonly number[]) =>
    graph.constant(ndarray('float32', [1, values.length, 1, 1], Float32Array.from(values)));
  const centred = raw('Sub', raw('Div', pixels, graph.scalar(255)), perChannel(normalize.mean));
  return raw('Div', centred, perChannel(normalize.std));
}

/** How many rows of logits have their maximum at the label; a tie counts as the first class. */
function correct(logits: Tensor, labels: Tensor): Tensor {
  const { graph } = logits;
  const [batch = 0, classes = 0] = logits.shape;
  const best = graph.emit('ArgMax', [logits], [batch], { dtype: 'int64', attributes: { axis: 1, keepdims: 0 } });
  const predicted = graph.emit('Cast', [best], [batch], { dtype: 'int32', attributes: { to: 6 } });
  const hits = mul(oneHot(predicted, classes), oneHot(labels, classes));
  return graph.emit('ReduceSum', [hits], [], { attributes: { keepdims: 0 } });
}
