/**
 * How well the vectors of a network tell classes apart, where its classifier is not trained: k nearest neighbors (Wu, Xiong,
 * Yu & Lin 2018) and a linear probe (Alain & Bengio 2017), both fitted to other images with labels.
 */
import type { Backend } from '../../engine/backends/index';
import { Graph } from '../../engine/graph';
import { linear, matmulTransposed, oneHot } from '../../engine/ops/index';
import { adam, minimize } from '../../engine/optimizers/index';
import { Session, State } from '../../engine/session';
import { ndarray, type NamedArrays, type NdArray } from '../../formats/ndarray';
import type { Predictions } from '../../runs/predictions';
import type { Split } from '../data/dataset';
import { loadBatches, plainPass } from '../data/loader';
import { crossEntropy } from '../nets/cross_entropy';
import { outputsGraph, type Model } from '../nets/model';
import type { Metrics } from './evaluator';
import { crossEntropies, predictedClasses, softmaxRows, topAccuracy } from './metrics';

/** Neighbors that vote, each with the weight exp(cosine / τ), as DINO (Caron et al. 2021) does. */
const NEIGHBORS = 20;
const TEMPERATURE = 0.07;
/** Steps of Adam on all images at once, from zero weights. */
const STEPS = 100;
const LEARNING_RATE = 0.05;
/** Vectors that are compared at a time. */
const PIECE = 512;

/** Vectors (N, D) of images, and their classes. */
export interface Vectors {
  readonly vectors: NdArray<'float32'>;
  readonly labels: Int32Array;
}

/** The vectors that the classifier of a network sees, of the examples `indices` of a split. */
async function vectorsOf(
  model: Model,
  weights: NamedArrays,
  { split, indices }: { readonly split: Split; readonly indices: Uint32Array },
  { threads, backend }: { readonly threads: number; readonly backend?: Backend | undefined },
): Promise<Vectors> {
  const graph = outputsGraph(model, ['pooled']);
  const session = await Session.create(graph, { threads, backend, frozen: weights, dynamicBatch: true });
  const width = graph.outputs.get('pooled')!.shape[1]!;
  const vectors = ndarray('float32', [indices.length, width]);
  const labels = new Int32Array(indices.length);
  let done = 0;
  for await (const batch of loadBatches(split, indices, plainPass(model.input))) {
    const { pooled } = await session.run({ images: ndarray('uint8', [batch.size, ...model.input], batch.images) });
    vectors.data.set(pooled!.data as Float32Array, done * width);
    labels.set(batch.labels, done);
    done += batch.size;
  }
  await session.release();
  return { vectors, labels };
}

/** The class of each query by the votes of its nearest neighbors among `bank`, by cosine. */
export async function neighborClasses(
  bank: Vectors,
  queries: NdArray<'float32'>,
  classes: number,
  threads: number,
): Promise<Int32Array> {
  const [count = 0, width = 0] = bank.vectors.shape;
  const graph = new Graph();
  const known = graph.constant(unitRows(bank.vectors));
  graph.output('cosines', matmulTransposed(graph.input('queries', 'float32', [1, width]), known));
  const session = await Session.create(graph, { threads, dynamicBatch: true });
  const all = unitRows(queries);
  const [rows = 0] = queries.shape;
  const found = new Int32Array(rows);
  for (let start = 0; start < rows; start += PIECE) {
    const size = Math.min(PIECE, rows - start);
    const piece = ndarray('float32', [size, width], all.data.slice(start * width, (start + size) * width));
    const cosines = (await session.run({ queries: piece })).cosines!.data as Float32Array;
    for (let row = 0; row < size; row++) {
      found[start + row] = vote(cosines.subarray(row * count, (row + 1) * count), bank.labels, classes);
    }
  }
  await session.release();
  return found;
}

/** The class with the most votes; the first one in a tie. */
function vote(cosines: Float32Array, labels: Int32Array, classes: number): number {
  const nearest = Array.from(cosines, (_, i) => i).sort((a, b) => cosines[b]! - cosines[a]! || a - b);
  const votes = new Float64Array(classes);
  for (const i of nearest.slice(0, NEIGHBORS)) votes[labels[i]!]! += Math.exp(cosines[i]! / TEMPERATURE);
  return votes.reduce((best, value, k) => (value > votes[best]! ? k : best), 0);
}

/** Logits (N, classes) of the queries by a linear classifier of standardized vectors, fitted to `bank`. */
export async function probeLogits(
  bank: Vectors,
  queries: NdArray<'float32'>,
  classes: number,
  threads: number,
): Promise<Float32Array> {
  const [count = 0, width = 0] = bank.vectors.shape;
  const [rows = 0] = queries.shape;
  const standardize = standardizer(bank.vectors);
  const graph = new Graph();
  const x = graph.constant(standardize(bank.vectors));
  const targets = oneHot(graph.constant(ndarray('int32', [count], bank.labels)), classes);
  const weight = graph.parameter('weight', [classes, width], () => ndarray('float32', [classes, width]));
  const loss = crossEntropy(
    linear(
      x,
      weight,
      graph.parameter('bias', [classes], () => ndarray('float32', [classes])),
    ),
    targets,
  );
  minimize(loss, adam());
  graph.output('loss', loss);
  const state = State.initial(graph);
  const session = await Session.create(graph, { threads });
  for (let step = 1; step <= STEPS; step++) {
    const context = { seed: 0, step, epoch: 1, epochs: 1, learningRate: LEARNING_RATE };
    await session.run(graph.feeds(context), state);
  }
  await state.toHost();
  await session.release();

  const [w, b] = ['weight', 'bias'].map((name) => state.get(name).data as Float32Array) as [Float32Array, Float32Array];
  const fed = standardize(queries).data;
  return Float32Array.from({ length: rows * classes }, (_, i) => {
    const [row, k] = [Math.floor(i / classes), i % classes];
    let sum = b[k]!;
    for (let d = 0; d < width; d++) sum += w[k * width + d]! * fed[row * width + d]!;
    return sum;
  });
}

/** How vectors of images are judged. */
export interface Judge {
  readonly model: Model;
  readonly classes: number;
  readonly threads: number;
  readonly backend?: Backend | undefined;
}

/** Images of a split. */
interface Images {
  readonly split: Split;
  readonly indices: Uint32Array;
}

/**
 * The accuracies and predictions of a linear probe, and the accuracy of the nearest neighbors, on the vectors of images:
 * those of `bank` have the labels that are known; without it, those of every other image, and the other way round.
 */
export async function assessVectors(
  judge: Judge,
  weights: NamedArrays,
  images: Images,
  bank: Images | undefined,
): Promise<{ metrics: Metrics; predictions: Predictions }> {
  const { model, classes, threads } = judge;
  const own = await vectorsOf(model, weights, images, judge);
  const known = bank && (await vectorsOf(model, weights, bank, judge));
  const size = own.labels.length;
  const logits = new Float32Array(size * classes);
  const neighbors = new Int32Array(size);
  const all = Array.from({ length: size }, (_, i) => i);
  const folds = known ? [all] : [0, 1].map((fold) => all.filter((i) => i % 2 === fold));
  for (const judged of folds) {
    const others =
      known ??
      rowsOf(
        own,
        all.filter((i) => i % 2 !== judged[0]! % 2),
      );
    const { vectors } = rowsOf(own, judged);
    const probed = await probeLogits(others, vectors, classes, threads);
    const voted = await neighborClasses(others, vectors, classes, threads);
    judged.forEach((place, i) => {
      logits.set(probed.subarray(i * classes, (i + 1) * classes), place * classes);
      neighbors[place] = voted[i]!;
    });
  }
  const { labels } = own;
  const predicted = predictedClasses({ logits, labels, classes });
  const scores = softmaxRows(logits, classes);
  const hits = neighbors.filter((k, i) => k === labels[i]).length;
  const losses = crossEntropies({ logits, labels, classes });
  const metrics = {
    accuracy: topAccuracy({ logits, labels, classes }, 1),
    loss: losses.reduce((sum, loss) => sum + loss, 0) / size,
    knn_accuracy: hits / size,
  };
  const confidences = Float32Array.from(predicted, (k, i) => scores[i * classes + k]!);
  return { metrics, predictions: { indices: Int32Array.from(images.indices), labels, predicted, confidences } };
}

function rowsOf({ vectors, labels }: Vectors, places: Iterable<number>): Vectors {
  const rows = [...places];
  const [, width = 0] = vectors.shape;
  const chosen = ndarray('float32', [rows.length, width]);
  rows.forEach((place, i) => chosen.data.set(vectors.data.subarray(place * width, (place + 1) * width), i * width));
  return { vectors: chosen, labels: Int32Array.from(rows, (place) => labels[place]!) };
}

/** Rows of length 1; zeros stay. */
function unitRows({ shape, data }: NdArray<'float32'>): NdArray<'float32'> {
  const [, width = 0] = shape;
  const rows = ndarray('float32', shape, data.slice());
  for (let start = 0; start < data.length; start += width) {
    const row = rows.data.subarray(start, start + width);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    row.forEach((value, i) => (row[i] = length === 0 ? 0 : value / length));
  }
  return rows;
}

/** Subtracts the mean of each column of the vectors given here and divides by its standard deviation, if it has any. */
function standardizer({ shape, data }: NdArray<'float32'>): (vectors: NdArray<'float32'>) => NdArray<'float32'> {
  const [rows = 0, width = 0] = shape;
  const mean = new Float64Array(width);
  const square = new Float64Array(width);
  data.forEach((value, i) => (mean[i % width]! += value / rows));
  data.forEach((value, i) => (square[i % width]! += (value - mean[i % width]!) ** 2 / rows));
  const scale = square.map((variance) => (variance > 0 ? 1 / Math.sqrt(variance) : 1));
  return (vectors) =>
    ndarray(
      'float32',
      vectors.shape,
      vectors.data.map((value, i) => (value - mean[i % width]!) * scale[i % width]!),
    );
}
