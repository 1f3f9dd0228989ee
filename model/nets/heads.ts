/** The head of a network, for methods that apply its classifier to other vectors than the image's own. */
import { Graph } from '../../engine/graph';
import { linear } from '../../engine/ops/index';
import type { Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import { tensorsOf, type FeatureMaps } from './feature_maps';
import type { NetOutputs } from './index';
import { Layers } from './layers';
import { outputsOf, type TrainedModel } from './model';

export interface Head {
  /** (N, C, H, W): the map whose mean over places is `pooled`. Throws a UserError for a network without one. */
  readonly map: Tensor;
  /** (M, C) → (M, classes): logits of other vectors. Gradients flow into them, and into a student's classifier. */
  readonly classify: (vectors: Tensor) => Tensor;
  /** The same without the classifier's bias. */
  readonly activations: (vectors: Tensor) => Tensor;
}

/** The linear layer that computes the logits, and the feature map whose mean is its input, if there is one. */
interface Ending {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly map: Tensor | undefined;
}

/** Found from the operations that computed the tensors. */
function endingOf({ logits, pooled }: Pick<NetOutputs, 'logits' | 'pooled'>): Ending {
  const inputsOf = (tensor: Tensor) => tensor.graph.tape.find(({ output }) => output === tensor)?.inputs ?? [];
  const [vector, weight, bias] = inputsOf(logits);
  if (vector !== pooled || !weight || !bias) throw new Error('heads: logits must be a linear function of "pooled"');
  const [map] = inputsOf(pooled);
  return { weight, bias, map: map?.shape.length === 4 && map.shape[1] === pooled.shape[1] ? map : undefined };
}

/** The head of a student, which its losses train. */
export function studentHead(student: FeatureMaps): Head {
  const { weight, bias, map } = endingOf(student);
  return {
    get map() {
      return map ?? withoutMap('student');
    },
    classify: (vectors) => linear(vectors, weight, bias),
    activations: (vectors) => linear(vectors, weight),
  };
}

/** The head of a teacher that is one of our networks, as constants; throws a UserError for other teachers. */
export function teacherHead(teacher: FeatureMaps, network: TrainedModel | undefined, graph: Graph): Head {
  if (!network) {
    throw new UserError(
      '"teacher" must be a net with a checkpoint, on images of its student: its classifier is applied to other vectors',
    );
  }
  const { model, weights } = network;
  const scratch = new Graph();
  const outputs = outputsOf(model, new Layers(scratch, { mode: 'eval', seed: 0, frozen: weights }));
  const ending = endingOf(outputs);
  const name = [...tensorsOf(outputs)].find(([, tensor]) => tensor === ending.map)?.[0];
  const [weight, bias] = [ending.weight, ending.bias].map((tensor) => graph.constant(scratch.constants.get(tensor)!));
  return {
    get map() {
      return name === undefined ? withoutMap('teacher') : teacher.get(name);
    },
    classify: (vectors) => linear(vectors, weight!, bias),
    activations: (vectors) => linear(vectors, weight!),
  };
}

function withoutMap(owner: string): never {
  throw new UserError(`the ${owner} has no feature map whose mean its classifier sees: choose another "method" or net`);
}
