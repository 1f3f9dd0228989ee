/** A network from an ONNX file, for the rest of the house: its layers are those of a student or a teacher. */
import { Graph } from '../../engine/graph';
import { constant, normal, uniform, type Initializer } from '../../engine/initializers';
import type { Layers as ForeignLayers, NormStates, Role } from '../../engine/onnx/trainable/call';
import { arrayOf, isUniform, type Literal } from '../../engine/onnx/trainable/literal';
import type { Built, ForeignNetwork } from '../../engine/onnx/trainable/network';
import { resized } from '../../engine/onnx/trainable/operators/resize';
import { reshape, transpose } from '../../engine/ops/index';
import { formatShape, type Tensor } from '../../engine/tensor';
import { quoted } from '../../formats/binary';
import { UserError } from '../../utils/errors';
import { counted } from '../../utils/words';
import type { ImageShape } from '../data/dataset';
import { Layers } from './layers';
import type { Net, NetOutputs } from './net';
import type { Inside, Layout, NetworkInside } from './onnx_inside';
import type { NamedOutputs } from './onnx_outputs';
import { tapped, tapsOf } from './onnx_taps';

/** What parameters start as: what the file says, or drawn anew. */
export const startingWeights = ['file', 'random'] as const;
export type StartingWeights = (typeof startingWeights)[number];

/** Standard deviation of what is neither a weight nor a bias, as position embeddings of ViT. */
const SPREAD = 0.02;

/** Is this the path of an ONNX file and not the name of a network? */
export function isOnnxPath(name: string): boolean {
  return name.endsWith('.onnx');
}

/**
 * The network as a function of layers, as those of this house are. Images are resized to its input where it fixes a size;
 * `named` are outputs that are not those found by themselves.
 */
export function netOfOnnx(network: ForeignNetwork, starting: StartingWeights, named?: NamedOutputs): Net {
  return (layers, x, { classes }) => {
    const { images, layout } = asInput(network, x);
    const built = network.build(layersFor(layers, starting), images);
    const outputs = outputsOf(built, network, layout, named);
    const [, found] = outputs.logits.shape;
    if (found !== classes) {
      throw new UserError(
        `${network.path}: gives ${found} logits, accepted is one for each of the ${classes} classes: replace its last ` +
          'layer before it is exported',
      );
    }
    return outputs;
  };
}

/** A network of a file that is only looked at: its graph in evaluation mode, and what is inside. */
export interface OnnxView {
  readonly graph: Graph;
  readonly built: Built;
  readonly outputs: NetOutputs;
}

/** The network of a file in evaluation mode with its weights, from `images` of the shape of its input to its output, `logits`. */
export function evaluatedOnnx(network: ForeignNetwork, shape: readonly number[]): Graph {
  const graph = new Graph();
  const layers = new Layers(graph, { mode: 'eval', seed: 0 });
  const { logits } = network.build(layersFor(layers, 'file'), graph.input('images', 'float32', shape));
  graph.output('logits', logits);
  return graph;
}

/** The network of a file on one image (C, H, W). */
export function viewOf(network: ForeignNetwork, [channels, height, width]: ImageShape): OnnxView {
  const graph = new Graph();
  const images = graph.input('images', 'float32', [network.fixedBatch ?? 1, channels, height, width]);
  const layers = new Layers(graph, { mode: 'eval', seed: 0 });
  const { images: fed, layout } = asInput(network, images);
  const built = network.build(layersFor(layers, 'file'), fed);
  return { graph, built, outputs: outputsOf(built, network, layout, undefined) };
}

/** Images (N, C, H, W) in the size and layout that the file says. */
function asInput(
  { path, input: { name, dtype, shape } }: ForeignNetwork,
  x: Tensor,
): { images: Tensor; layout: Layout } {
  const fail = (what: string) =>
    new UserError(`${path}: takes ${what} as ${quoted(name)}, accepted are images (N, C, H, W)`);
  if (!['float32', 'float16', 'bfloat16', 'float64'].includes(dtype)) throw fail(dtype);
  const lengths = shape ?? ['N', 'C', 'H', 'W'];
  if (lengths.length !== 4) throw fail(`[${lengths.join(', ')}]`);
  const [, channels = 0] = x.shape;
  const isLast = lengths[1] !== channels && lengths[3] === channels;
  const [depth, height, width] = isLast ? [lengths[3], lengths[1], lengths[2]] : lengths.slice(1);
  if (typeof depth === 'number' && depth !== channels) {
    throw new UserError(
      `${path}: takes images of ${counted(depth, 'channel')}, accepted are those of the data set, which has ${channels}`,
    );
  }
  const side = (length: number | string | undefined, own: number) => (typeof length === 'number' ? length : own);
  const images = resized(x, [side(height, x.shape[2]!), side(width, x.shape[3]!)]);
  return isLast ? { images: transpose(images, [0, 2, 3, 1]), layout: 'NHWC' } : { images, layout: 'NCHW' };
}

/** The outputs of a network as it was built. A UserError tells that its output is not a row of logits for each image. */
function outputsOf(
  built: Built,
  { path, input }: ForeignNetwork,
  layout: Layout,
  named: NamedOutputs | undefined,
): NetOutputs {
  const { logits: raw, output, inner } = built;
  const [batch = 0, classes = 0, ...places] = raw.shape;
  if (raw.shape.length < 2 || places.some((length) => length !== 1)) {
    throw new UserError(`${path}: gives ${formatShape(raw.shape)} for ${batch} images, accepted is (N, classes)`);
  }
  const logits = places.length === 0 ? raw : reshape(raw, [batch, classes]);
  const images = { name: input.name, layout };
  const inside = { path, values: valuesOf(built, input.name), images, batch, logits: output };
  const tensors = [...tapsOf(inside, named, 'model_outputs')].map(
    ([name, tap]) => [name, tapped(inner.get(tap.value)!.tensor, tap, name === 'pooled')] as const,
  );
  const { pooled = logits, ...features } = Object.fromEntries(tensors);
  return { logits, pooled, features };
}

/** The values that depend on the images. */
function valuesOf({ inner }: Built, images: string): NetworkInside['values'] {
  const reached = new Set([images]);
  const values = new Map<string, Inside>();
  for (const [name, { node, tensor }] of inner) {
    if (!node.inputs.some((input) => reached.has(input))) continue;
    reached.add(name);
    const perm = node.attributes.get('perm');
    values.set(name, {
      shape: tensor.shape,
      node: { ...node, perm: Array.isArray(perm) ? (perm as number[]) : undefined },
    });
  }
  return values;
}

/** What the builder of foreign networks asks for, made by layers of this house. */
function layersFor(layers: Layers, starting: StartingWeights): ForeignLayers {
  const { graph, options } = layers;
  const value = (literal: Literal, role: Role) => (starting === 'file' ? ofFile(literal) : drawn(literal, role));
  const state = (
    kind: 'parameter' | 'buffer',
    { name, literal }: ReturnType<typeof stateOf>,
    fresh: number,
  ): Tensor => {
    if (name === undefined) return graph.constant(arrayOf(literal));
    const initial = starting === 'file' ? ofFile(literal) : constant(fresh);
    if (kind === 'parameter') return layers.parameter(name, literal.shape, initial);
    return layers.buffer(name, 'float32', literal.shape, () => initial(name, literal.shape, 0));
  };
  return {
    graph,
    isTraining: options.mode === 'train',
    parameter: (name, literal, role) => layers.parameter(name, literal.shape, value(literal, role)),
    batchNorm: (x, states, batchNormOptions) => {
      const [weight, bias] = [stateOf(states.weight), stateOf(states.bias)];
      const [mean, variance] = [stateOf(states.mean), stateOf(states.variance)];
      const prefix = mean.name?.endsWith('.running_mean') ? mean.name.slice(0, -'.running_mean'.length) : undefined;
      const state4 = {
        weight: state('parameter', weight, 1),
        bias: state('parameter', bias, 0),
        runningMean: state('buffer', mean, 0),
        runningVar: state('buffer', variance, 1),
        tracked: prefix === undefined ? undefined : layers.tracked(prefix),
      };
      return layers.normalized(prefix ?? mean.name!, x, state4, batchNormOptions);
    },
    dropout: (name, x, rate) => layers.dropout(name, x, rate),
    shared: (name) => options.shared?.get(name),
    made: (name, tensor) => options.made?.set(name, tensor),
  };
}

function stateOf(state: NormStates[keyof NormStates]): { name: string | undefined; literal: Literal } {
  return 'stored' in state ? { name: state.name, literal: state.stored } : { name: state.name, literal: state.known };
}

function ofFile(literal: Literal): Initializer {
  return () => arrayOf(literal);
}

/** As PyTorch draws the parameters of such layers; what is the same everywhere, as scales of layers are, stays so. */
function drawn(literal: Literal, role: Role): Initializer {
  switch (role.of) {
    case 'weight':
    case 'bias':
      return uniform(1 / Math.sqrt(role.fanIn));
    case 'scale':
      return constant(1);
    case 'shift':
      return constant(0);
    case 'other':
      return isUniform(literal) ? ofFile(literal) : normal(SPREAD);
  }
}
