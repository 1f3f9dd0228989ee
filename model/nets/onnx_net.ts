/** A network from an ONNX file, for the rest of the house: its layers are those of a student or a teacher. */
import { constant, normal, uniform, type Initializer } from '../../engine/initializers';
import type { Layers as ForeignLayers, NormStates, Role } from '../../engine/onnx/trainable/call';
import { arrayOf, isUniform, type Literal } from '../../engine/onnx/trainable/literal';
import type { ForeignNetwork } from '../../engine/onnx/trainable/network';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';
import type { Net } from './net';
import { tapsOf } from './onnx_taps';

/** What parameters start as: what the file says, or drawn anew. */
export type StartingWeights = 'file' | 'random';

/** Standard deviation of what is neither a weight nor a bias, as position embeddings of ViT. */
const SPREAD = 0.02;

/** The network as a function of layers, as those of this house are. */
export function netOfOnnx(network: ForeignNetwork, starting: StartingWeights): Net {
  return (layers, x) => {
    const built = network.build(layersFor(layers, starting), x);
    return tapsOf(built, network.path);
  };
}

/** What the builder of foreign networks asks for, made by layers of this house. */
export function layersFor(layers: Layers, starting: StartingWeights): ForeignLayers {
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
