/** Networks of timm with weights and images that Python can draw as well, by the rule of test/fixtures/make_nets_modern.py. */
import { gradients } from '../../engine/autodiff';
import { Graph } from '../../engine/graph';
import { add, oneHot } from '../../engine/ops';
import { Session, State } from '../../engine/session';
import { ndarray, sizeOf, type NdArray } from '../../formats/ndarray';
import { netCalled, type NetOptions } from '../../model/nets';
import { crossEntropy } from '../../model/nets/cross_entropy';
import { Layers } from '../../model/nets/layers';
import { netKeys } from '../../model/nets/net_params';
import { float32 } from './engine';
import { draw } from './nets';

const GAIN = 3;
const LABELS = [3, 8, 0, 5];

/** `<net>@<C>x<H>x<W>`, with `:<option>=<value>,…` behind it. */
export interface TimmCase {
  readonly net: string;
  /** Channels, height, width. */
  readonly input: readonly number[];
  readonly options: NetOptions;
}

export function parseCase(name: string): TimmCase {
  const [model = '', given = ''] = name.split(':');
  const [net = '', size = ''] = model.split('@');
  const propertyOf = (key: string) => Object.entries(netKeys).find(([, known]) => known === key)![0];
  const pairs = given.split(',').filter(Boolean);
  const own = pairs.map((pair) => {
    const [key = '', value = ''] = pair.split('=');
    return [propertyOf(key), Number.isNaN(Number(value)) ? value : Number(value)];
  });
  const options = { classes: 10, numChannels: 32, dropoutRate: 0, ...Object.fromEntries(own) } as NetOptions;
  return { net, input: size.split('x').map(Number), options };
}

function build({ net, input, options }: TimmCase, mode: 'train' | 'eval', batch: number) {
  const graph = new Graph();
  const images = graph.input('images', 'float32', [batch, ...input]);
  return { graph, ...netCalled(net).build(new Layers(graph, { mode, seed: 0 }), images, options) };
}

/** The states of a network in its order: `<name> <length>x<length>…`. */
export function statesOf(one: TimmCase): { lines: string[]; parameters: number } {
  const states = [...build(one, 'eval', 1).graph.states.values()];
  return {
    lines: states.map(({ tensor }) => `${tensor.name} ${tensor.shape.join('x')}`),
    parameters: states.reduce((sum, { trainable, tensor }) => sum + (trainable ? sizeOf(tensor.shape) : 0), 0),
  };
}

/** The logits of the drawn images, all at once through a graph of an open batch. */
export async function evaluated(one: TimmCase, seed: number, batch: number): Promise<NdArray> {
  const { graph, logits } = build(one, 'eval', 1);
  graph.output('logits', logits);
  const session = await Session.create(graph, { dynamicBatch: true, threads: 1 });
  const results = await session.run({ images: imagesOf(one, seed, batch) }, drawnState(graph, seed, 'eval'));
  await session.release();
  return results.logits!;
}

/** The loss and the gradients, and the running statistics after the step, by name. */
export interface Trained {
  readonly loss: NdArray;
  readonly gradients: ReadonlyMap<string, NdArray>;
  readonly statistics: ReadonlyMap<string, NdArray>;
}

/** A step on the drawn images in training mode; of a network with two classifiers, by the losses of both. */
export async function trained(one: TimmCase, seed: number, batch: number): Promise<Trained> {
  const { graph, logits, classifiers = { logits } } = build(one, 'train', batch);
  const labels = Int32Array.from({ length: batch }, (_, i) => LABELS[i % LABELS.length]!);
  const targets = oneHot(graph.constant(ndarray('int32', [batch], labels)), one.options.classes);
  const loss = Object.values(classifiers)
    .map((classifier) => crossEntropy(classifier, targets))
    .reduce((sum, part) => add(sum, part));
  graph.output('loss', loss);
  const parameters = [...graph.states.values()].filter(({ trainable }) => trainable).map(({ tensor }) => tensor);
  gradients(loss, parameters).forEach((grad, i) => graph.output(`gradient ${parameters[i]!.name}`, grad));
  const session = await Session.create(graph, { threads: 1 });
  const state = drawnState(graph, seed, 'train');
  const results = await session.run({ images: imagesOf(one, seed, batch) }, state);
  const statistics = new Map(
    state.names.filter((name) => /running_(mean|var)$/.test(name)).map((name) => [name, state.get(name)]),
  );
  await session.release();
  return {
    loss: results.loss!,
    gradients: new Map(parameters.map(({ name }) => [name, results[`gradient ${name}`]!])),
    statistics,
  };
}

function drawnState(graph: Graph, seed: number, mode: 'train' | 'eval'): State {
  const state = State.initial(graph);
  for (const name of state.names) {
    const { dtype, shape } = state.get(name);
    if (dtype === 'float32') state.set(name, draw(seed, name, shape, ...boundsOf(name, state, mode)));
  }
  return state;
}

function boundsOf(name: string, state: State, mode: 'train' | 'eval'): readonly [low: number, high: number] {
  const dot = name.lastIndexOf('.');
  const [layer, key] = [name.slice(0, dot), name.slice(dot + 1)];
  const weight = key === 'weight' || key === 'bias' ? state.get(`${layer}.weight`).shape : [];
  if (weight.length > 1) {
    const bound = Math.sqrt(GAIN / sizeOf(weight.slice(1)));
    return [-bound, bound];
  }
  // In training no value comes near a kink of its activation.
  if (mode === 'train' && state.names.includes(`${layer}.running_mean`)) {
    if (key === 'weight') return [0.2, 0.3];
    if (key === 'bias') return [1, 1.5];
  }
  if (key === 'bias') return [-0.2, 0.2];
  return key === 'running_mean' ? [-0.1, 0.1] : [0.5, 1.5];
}

/** Images whose channels differ in brightness, so that they differ after an average. */
function imagesOf({ input }: TimmCase, seed: number, batch: number): NdArray {
  const [channels = 0, height = 0, width = 0] = input;
  const noise = draw(seed, 'images', [batch, ...input], -1, 1);
  const colors = draw(seed, 'colours', [batch, channels, 1, 1], -2, 2).data;
  return float32(
    noise.shape,
    noise.data.map((value, i) => value + colors[Math.floor(i / (height * width))]!),
  );
}

/**
 * How far a value of this norm may be away, where the longest one has the norm `longest`. What is 0 but for rounding errors, as the
 * gradient to a bias before a BatchNorm, has no length to compare with.
 */
export function allowed(norm: number, longest: number, tolerance: number): number {
  return tolerance * (norm < 1e-10 * longest ? 1e-3 * longest : norm);
}
