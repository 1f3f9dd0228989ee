/** A network from an ONNX file beside what PyTorch makes of it, as test/fixtures/make_foreign_students.py writes both. */
import { gradients } from '../../engine/autodiff';
import { Graph } from '../../engine/graph';
import { ForeignNetwork } from '../../engine/onnx/trainable/network';
import { emitElementwise } from '../../engine/ops/elementwise';
import { logSoftmax, mean, mul, neg, oneHot, sum } from '../../engine/ops/index';
import { Session, State } from '../../engine/session';
import { ndarray, sizeOf, type NdArray } from '../../formats/ndarray';
import { readSafetensors } from '../../formats/safetensors';
import { Layers } from '../../model/nets/layers';
import { netOfOnnx } from '../../model/nets/onnx_net';

const CLASSES = 10;
const LEARNING_RATE = 0.001;
/** Shares of the usual length of a gradient that count as 0. */
const NEGLIGIBLE = 1e-3;

type Errors = Record<'logits' | 'loss' | 'gradients' | 'statistics' | 'losses', number>;

export interface Comparison {
  readonly nodes: number;
  readonly parameters: number;
  /** How far it is from PyTorch in float64, as the length of the difference by that of the value; of all parameters, the worst. */
  readonly errors: Errors;
  /** Those of PyTorch in float32. */
  readonly own: Errors;
  /** The parameter with the worst gradient. */
  readonly worst: string;
  readonly seconds: number;
}

export async function compareWithPytorch(onnx: string, expected: string): Promise<Comparison> {
  const network = ForeignNetwork.read(onnx);
  const build = netOfOnnx(network, 'file');
  const options = { classes: CLASSES, numChannels: 0, dropoutRate: 0 };
  const { tensors } = readSafetensors(expected);
  const images = tensors.get('images')!;

  const evaluation = new Graph();
  const [, ...size] = images.shape;
  const one = evaluation.input('images', 'float32', [1, ...size]);
  evaluation.output('logits', build(new Layers(evaluation, { mode: 'eval', seed: 0 }), one, options).logits);
  const evaluated = await Session.create(evaluation, { dynamicBatch: true });
  const { logits } = await evaluated.run({ images }, State.initial(evaluation));
  await evaluated.release();

  const graph = new Graph();
  const input = graph.input('images', 'float32', images.shape);
  const labels = graph.input('labels', 'int32', [images.shape[0]!]);
  const outputs = build(new Layers(graph, { mode: 'train', seed: 0 }), input, options);
  const likelihoods = mul(logSoftmax(outputs.logits), oneHot(labels, CLASSES));
  const loss = neg(mean(sum(likelihoods, { axes: [1] })));
  graph.output('loss', loss);
  // Other frameworks have other names for their parameters: all of them are trained, and the losses tell.
  const hasGradients = [...tensors.keys()].some((key) => key.startsWith('grad/'));
  const trained = [...graph.states.values()].filter(
    ({ trainable, tensor }) => trainable && (!hasGradients || tensors.has(`grad/${tensor.name}`)),
  );
  gradients(
    loss,
    trained.map(({ tensor }) => tensor),
  ).forEach((grad, i) => {
    const { tensor } = trained[i]!;
    graph.output(`grad/${tensor.name}`, grad);
    graph.update(tensor, emitElementwise('Sub', tensor, emitElementwise('Mul', grad, graph.scalar(LEARNING_RATE))));
  });
  const session = await Session.create(graph, {});
  const state = State.initial(graph);
  const feeds = { images, labels: tensors.get('labels')! };
  const began = process.hrtime.bigint();
  const first = await session.run(feeds, state);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const running = new Map(
    state.names.filter((name) => tensors.has(`running/${name}`)).map((name) => [name, copyOf(state.get(name))]),
  );
  const losses = [first.loss!.data[0] as number];
  const expectedLosses = tensors.get('losses') ?? ndarray('float32', [1], tensors.get('loss')!.data as Float32Array);
  if (!tensors.has('losses')) tensors.set('losses', expectedLosses).set('float32/losses', tensors.get('float32/loss')!);
  for (let step = 1; step < sizeOf(expectedLosses.shape); step++)
    losses.push((await session.run(feeds, state)).loss!.data[0] as number);
  await session.release();

  const grads = [...tensors.keys()].filter((key) => key.startsWith('grad/'));
  const missing = grads.filter((key) => !first[key]);
  if (missing.length > 0) throw new Error(`has no gradient for ${missing.length} parameters, such as ${missing[0]}`);
  // Gradients that are 0 but for rounding, as of a bias before a norm, are measured by the others.
  const usual = Math.sqrt(grads.reduce((sum, key) => sum + lengthOf(tensors.get(key)!) ** 2, 0) / grads.length);
  const scaleOf = (key: string) =>
    Math.max(lengthOf(tensors.get(key)!), key.startsWith('grad/') ? usual * NEGLIGIBLE : 0);
  const deviation = (key: string, actual: NdArray) => distance(actual, tensors.get(key)!) / scaleOf(key);
  const float32 = (key: string) => (tensors.get(`float32/${key}`)!.data[0] as number) / scaleOf(key);
  const byGradient = grads.map((key) => [key, deviation(key, first[key]!)] as const).sort(([, a], [, b]) => b - a);
  const errors = {
    logits: deviation('logits', logits!),
    loss: deviation('loss', first.loss!),
    gradients: byGradient[0]?.[1] ?? NaN,
    statistics: Math.max(0, ...[...running].map(([name, array]) => deviation(`running/${name}`, array))),
    losses: deviation('losses', ndarray('float32', [losses.length], Float32Array.from(losses))),
  };
  const own = {
    logits: float32('logits'),
    loss: float32('loss'),
    gradients: Math.max(0, ...grads.map(float32)),
    statistics: Math.max(0, ...[...running.keys()].map((name) => float32(`running/${name}`))),
    losses: float32('losses'),
  };
  return {
    nodes: network.operators.length,
    parameters: trained.reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0),
    errors,
    own,
    worst: byGradient[0]
      ? `${byGradient[0][0].slice('grad/'.length)} (${float32(byGradient[0][0]).toExponential(1)})`
      : '',
    seconds,
  };
}

function copyOf({ dtype, shape, data }: NdArray): NdArray {
  return { dtype, shape, data: data.slice() };
}

function lengthOf({ data }: NdArray): number {
  return Math.sqrt((data as Float32Array).reduce((sum, value) => sum + value * value, 0));
}

function distance(actual: NdArray, expected: NdArray): number {
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array];
  if (a.length !== b.length) return Infinity;
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));
}
