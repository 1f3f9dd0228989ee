/** A network from stored pixels to its outputs, evaluated with any batch size. */
import { Graph } from '../../engine/graph';
import { emitElementwise } from '../../engine/ops/elementwise';
import { mul, oneHot } from '../../engine/ops/index';
import { argmax } from '../../engine/ops/softmax';
import type { Tensor } from '../../engine/tensor';
import { ndarray, sizeOf, type NamedArrays, type TensorSpec } from '../../formats/ndarray';
import type { ImageShape } from '../data/dataset';
import { crossEntropy } from './cross_entropy';
import { tensorsOf } from './feature_maps';
import type { Net, NetOptions, NetOutputs } from './index';
import { Layers } from './layers';

/** Mean and standard deviation by channel, of pixels in [0, 1]. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** A network and its preprocessing. */
export interface Model {
  readonly net: Net;
  readonly options: NetOptions;
  readonly normalize: Normalization;
  /** Channels, height and width of the network's input. */
  readonly input: ImageShape;
  /** The shape of the stored images if they have another size: they are resized. */
  readonly stored?: ImageShape;
  /** Other names of parts of its parameters' names in external files, and the names here. */
  readonly aliases?: Readonly<Record<string, string>> | undefined;
  /** What a person should know before the network is trained. */
  readonly remarks?: readonly string[] | undefined;
}

/** A network with its weights, by the names of its parameters and buffers. */
export interface TrainedModel {
  readonly model: Model;
  readonly weights: NamedArrays;
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
  graph.output('crossEntropy', crossEntropy(logits, oneHot(labels, model.options.classes)));
  graph.output('correct', correct(logits, labels));
  return graph;
}

/** The outputs of a network in evaluation mode, by name; the input is `images`. */
export function outputsGraph(model: Model, names: readonly string[]): Graph {
  const graph = new Graph();
  const outputs = evaluated(graph, model);
  for (const name of names) graph.output(name, outputs.get(name)!);
  return graph;
}

/** The shape of each output of a network for one image. */
export function outputShapes(model: Model): Map<string, readonly number[]> {
  const outputs = evaluated(new Graph(), model);
  return new Map([...outputs].map(([name, { shape }]) => [name, shape.slice(1)]));
}

/** The outputs of a network on input images, with the given layers. */
export function outputsOf(model: Model, layers: Layers): NetOutputs {
  return model.net(layers, normalizedImages(layers.graph, model, 1), model.options);
}

function evaluated(graph: Graph, model: Model): Map<string, Tensor> {
  return tensorsOf(outputsOf(model, new Layers(graph, { mode: 'eval', seed: 0 })));
}

/** Names, element types and shapes of a graph's parameters and buffers, in PyTorch's order. */
export function specsOf(graph: Graph): Map<string, TensorSpec> {
  return new Map([...graph.states].map(([name, { tensor }]) => [name, tensor]));
}

/** The names of the parameters that are trained, in PyTorch's order. */
export function parameterNames(graph: Graph): string[] {
  return [...graph.states].filter(([, { trainable }]) => trainable).map(([name]) => name);
}

/** The number of trained parameters of a network. */
export function parameterCount(graph: Graph): number {
  const trained = [...graph.states.values()].filter(({ trainable }) => trainable);
  return trained.reduce((total, { tensor }) => total + sizeOf(tensor.shape), 0);
}

/**
 * (p / 255 − mean) / std of the uint8 input p, `name` (N, C, H, W), resized bilinearly between pixel centers without
 * antialiasing, as torch.nn.functional.interpolate does, if they are stored in another size.
 */
export function normalizedImages(
  graph: Graph,
  { input, stored = input, normalize }: Pick<Model, 'input' | 'stored' | 'normalize'>,
  batchSize: number,
  name = 'images',
): Tensor {
  return normalizedPixels(storedPixels(graph, stored, batchSize, name), input, { normalize });
}

/** The uint8 input `name` as float32 from 0 to 255. */
export function storedPixels(graph: Graph, stored: ImageShape, batchSize: number, name = 'images'): Tensor {
  const images = graph.input(name, 'uint8', [batchSize, ...stored]);
  return graph.emit('Cast', [images], images.shape, { dtype: 'float32', attributes: { to: 1 } });
}

/** (p · range / 255 − mean) / std of this input, resized to the size of `input`. */
export function normalizedPixels(
  pixels: Tensor,
  [channels, height, width]: ImageShape,
  { normalize, range = 1 }: Pick<Model, 'normalize'> & { readonly range?: 1 | 255 },
): Tensor {
  const { graph } = pixels;
  const [batchSize = 1, , storedHeight, storedWidth] = pixels.shape;
  const perChannel = (values: readonly number[]) =>
    graph.constant(ndarray('float32', [1, values.length, 1, 1], Float32Array.from(values)));
  const scaled = range === 255 ? pixels : emitElementwise('Div', pixels, graph.scalar(255));
  const normalized = emitElementwise(
    'Div',
    emitElementwise('Sub', scaled, perChannel(normalize.mean)),
    perChannel(normalize.std),
  );
  if (storedHeight === height && storedWidth === width) return normalized;
  const attributes = { mode: 'linear', coordinate_transformation_mode: 'half_pixel', axes: [2, 3] };
  const inputs = [normalized, undefined, undefined, graph.integers([height, width])];
  return graph.emit('Resize', inputs, [batchSize, channels, height, width], { attributes });
}

/** The number of rows of logits with their maximum at the label; ties count as the first class. */
export function correct(logits: Tensor, labels: Tensor): Tensor {
  const { graph } = logits;
  const [, classes = 0] = logits.shape;
  const hits = mul(oneHot(argmax(logits), classes), oneHot(labels, classes));
  return graph.emit('ReduceSum', [hits], [], { attributes: { keepdims: 0 } });
}
