/** Networks with weights and images that Python can draw as well (test/fixtures/philox.py), against what PyTorch says. */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { gradients } from '../../engine/autodiff';
import type { Graph } from '../../engine/graph';
import { oneHot } from '../../engine/ops';
import { Session, State } from '../../engine/session';
import type { Tensor } from '../../engine/tensor';
import { ndarray, sizeOf, type NdArray } from '../../formats/ndarray';
import type { NetOutputs } from '../../model/nets';
import { crossEntropy } from '../../model/nets/cross_entropy';
import { Random } from '../../utils/random';
import { expectClose, float32 } from './engine';

/** Uniform values of [low, high) from stream `test/<name>`, coordinate `a`. */
export function draw(
  seed: number,
  name: string,
  shape: readonly number[],
  low: number,
  high: number,
  a = 0,
): NdArray<'float32'> {
  const data = new Float32Array(sizeOf(shape));
  new Random(seed, `test/${name}`).fillUniform(data, low, high, a);
  return ndarray('float32', shape, data);
}

const normRanges: Readonly<Record<string, readonly [number, number]>> = {
  weight: [0.5, 1.5],
  bias: [-0.2, 0.2],
  running_mean: [-0.1, 0.1],
  running_var: [0.5, 1.5],
};

/**
 * Sets every weight and bias of convolutions and linear layers to [−b, b), b = √(gain / fan_in of the layer's weight),
 * and those of norms, their running statistics, scales and tokens to ranges around 1 and 0.
 */
export function drawWeights(state: State, seed: number, gain: number): void {
  const names = new Set(state.names);
  for (const name of names) {
    const dot = name.lastIndexOf('.');
    const [layer, key] = [name.slice(0, dot), name.slice(dot + 1)];
    if (key === 'num_batches_tracked') continue;
    const weight = names.has(`${layer}.weight`) ? state.get(`${layer}.weight`).shape : [];
    const bound = Math.sqrt(gain / sizeOf(weight.slice(1)));
    const [low, high] = weight.length > 1 ? [-bound, bound] : (normRanges[key] ?? [0.5, 1.5]);
    state.set(name, draw(seed, name, state.get(name).shape, low, high));
  }
}

/** The state of a network with weights from `drawWeights`; its own initial ones take as long to draw and are not needed. */
function drawnState({ states }: Graph, seed: number, gain: number): State {
  const state = new State();
  for (const [name, { tensor, initial }] of states) {
    state.set(name, tensor.dtype === 'float32' ? ndarray('float32', tensor.shape) : initial());
  }
  drawWeights(state, seed, gain);
  return state;
}

/** What a fixture of PyTorch says about a network; a net that is only counted has no answers. */
export interface Expected {
  readonly parameters: number;
  readonly states: number;
  /** Of the lines `<name> <length>x<length>…` of all states. */
  readonly sha256: string;
  readonly logits?: number[];
  /** Norms. */
  readonly features?: Record<string, number>;
  /** Norm and first value, by parameter. */
  readonly gradients?: { readonly norm: number[]; readonly first: number[] };
}

export interface Built extends NetOutputs {
  readonly graph: Graph;
  readonly parameters: readonly Tensor[];
}

const TOLERANCE = 1e-4;
const LABELS = Int32Array.of(3, 8);

/** Names, shapes and their order are PyTorch's, and so is the number of trained values. */
export function expectStates({ graph, parameters }: Built, expected: Expected): void {
  const states = [...graph.states].map(([key, { tensor }]) => `${key} ${tensor.shape.join('x')}\n`);
  expect(parameters.reduce((total, { shape }) => total + sizeOf(shape), 0)).to.equal(expected.parameters);
  expect(states).to.have.length(expected.states);
  expect(createHash('sha256').update(states.join('')).digest('hex'), states.join('')).to.equal(expected.sha256);
}

/** Two images whose channels differ in brightness, so that they differ after an average. */
export function imagesOf(seed: number, [channels = 0, height = 0, width = 0]: readonly number[], a = 0): NdArray {
  const noise = draw(seed, 'images', [2, channels, height, width], -1, 1, a);
  // The stream keeps the name by which PyTorch's side draws it.
  const colors = draw(seed, 'colours', [2, channels, 1, 1], -2, 2, a).data;
  return float32(
    noise.shape,
    noise.data.map((value, i) => value + colors[Math.floor(i / (height * width))]!),
  );
}

/** With drawn weights, logits, features and gradients of the mean cross-entropy on two images are PyTorch's. */
export async function expectAnswers(
  built: Built,
  images: NdArray,
  { seed, gain }: { seed: number; gain: number },
  expected: Expected,
): Promise<void> {
  const { graph, parameters, logits, features } = built;
  graph.output('logits', logits);
  for (const [key, feature] of Object.entries(features)) graph.output(key, feature);
  if (expected.gradients) {
    const targets = oneHot(graph.constant(ndarray('int32', [2], LABELS)), logits.shape[1]!);
    gradients(crossEntropy(logits, targets), parameters).forEach((grad, i) => graph.output(`gradient ${i}`, grad));
  }
  const state = drawnState(graph, seed, gain);
  const session = await Session.create(graph, { threads: 1 });
  const results = await session.run({ images }, state);
  await session.release();

  expectClose(results.logits!, float32(logits.shape, expected.logits!), TOLERANCE, 'logits');
  expect(Object.keys(features)).to.have.members(Object.keys(expected.features!));
  for (const [key, norm] of Object.entries(expected.features!)) {
    expect(normOf(results[key]!.data as Float32Array), `norm of ${key}`).to.be.closeTo(norm, TOLERANCE * norm);
  }
  expected.gradients?.norm.forEach((norm, i) => {
    const grad = results[`gradient ${i}`]!.data as Float32Array;
    const what = `the gradient to ${parameters[i]!.name}`;
    expect(normOf(grad), `norm of ${what}`).to.be.closeTo(norm, TOLERANCE * norm);
    expect(grad[0], `first value of ${what}`).to.be.closeTo(expected.gradients!.first[i]!, TOLERANCE * norm);
  });
}

export function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
