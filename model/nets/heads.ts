/** The head of a network, for methods that apply its classifier to other vectors than the image's own. */
import { Graph } from '../../engine/graph';
import { add, linear, mul, slice } from '../../engine/ops/index';
import type { Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import { CLASSIFIER_PREFIX, tensorsOf, type FeatureMaps } from './feature_maps';
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

interface LinearLayer {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** The linear layers that compute the logits, and the feature map whose mean is their input, if there is one. */
interface Ending {
  /** More than one where the logits are their mean; each sees its part of the vector. */
  readonly layers: readonly LinearLayer[];
  readonly map: Tensor | undefined;
}

/** Found from the operations that computed the tensors. */
function endingOf({ logits, pooled, classifiers }: Pick<NetOutputs, 'logits' | 'pooled' | 'classifiers'>): Ending {
  const inputsOf = (tensor: Tensor) => tensor.graph.tape.find(({ output }) => output === tensor)?.inputs ?? [];
  const found = Object.values(classifiers ?? { logits }).map(inputsOf);
  const vectors = found.length > 1 ? inputsOf(pooled) : [pooled];
  const layers = found.flatMap(([vector, weight, bias], i) =>
    vector === vectors[i] && weight && bias ? [{ weight, bias }] : [],
  );
  if (layers.length < found.length) throw new Error('heads: logits must be a linear function of "pooled"');
  const [map] = inputsOf(pooled);
  return { layers, map: map?.shape.length === 4 && map.shape[1] === pooled.shape[1] ? map : undefined };
}

/** The mean of the layers' outputs, each on its part of the vectors (M, features). */
function applied(layers: readonly LinearLayer[], vectors: Tensor, hasBias: boolean): Tensor {
  const width = vectors.shape[1]! / layers.length;
  const outputs = layers.map(({ weight, bias }, i) => {
    const own = layers.length > 1 ? slice(vectors, 1, i * width, (i + 1) * width) : vectors;
    return linear(own, weight, hasBias ? bias : undefined);
  });
  const sum = outputs.reduce((total, output) => add(total, output));
  return layers.length > 1 ? mul(sum, 1 / layers.length) : sum;
}

/** The head of a student, which its losses train. */
export function studentHead(student: FeatureMaps): Head {
  const { layers, map } = endingOf(outputsIn(student));
  return {
    get map() {
      return map ?? withoutMap('student');
    },
    classify: (vectors) => applied(layers, vectors, true),
    activations: (vectors) => applied(layers, vectors, false),
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
  const copied = (tensor: Tensor) => graph.constant(scratch.constants.get(tensor)!);
  const layers = ending.layers.map(({ weight, bias }) => ({ weight: copied(weight), bias: copied(bias) }));
  return {
    get map() {
      return name === undefined ? withoutMap('teacher') : teacher.get(name);
    },
    classify: (vectors) => applied(layers, vectors, true),
    activations: (vectors) => applied(layers, vectors, false),
  };
}

/** What a student's outputs are, of all that it has by name. */
function outputsIn(student: FeatureMaps): Pick<NetOutputs, 'logits' | 'pooled' | 'classifiers'> {
  const names = student.names.filter((name) => name.startsWith(CLASSIFIER_PREFIX));
  const classifiers = Object.fromEntries(names.map((name) => [name, student.get(name)]));
  return { logits: student.logits, pooled: student.pooled, ...(names.length > 0 && { classifiers }) };
}

function withoutMap(owner: string): never {
  throw new UserError(`the ${owner} has no feature map whose mean its classifier sees: choose another "method" or net`);
}
