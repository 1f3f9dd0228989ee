/** Evaluates a network: its weights are constants of a separate graph, its metrics are averaged over examples. */
import type { Backend } from '../../engine/backends/index';
import { Session } from '../../engine/session';
import { ndarray, type NamedArrays, type NdArray } from '../../formats/ndarray';
import type { Predictions } from '../../runs/predictions';
import type { Split } from '../data/dataset';
import { loadBatches, plainPass, type Batch } from '../data/loader';
import { evaluationGraph, type Model } from '../nets/model';
import { predictedClasses, softmaxRows } from './metrics';

export interface Metrics {
  /** Fraction of examples whose largest logit is that of the label, in [0, 1]. */
  readonly accuracy: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Mean |z_t − z_s| over examples and classes, if a teacher's logits z_t are given. */
  readonly logit_difference?: number;
  /** Of the nearest neighbors of vectors, where the classifier is not trained: `accuracy` and `loss` are of a linear probe then. */
  readonly knn_accuracy?: number;
}

export class Evaluator {
  private constructor(
    private readonly model: Model,
    private readonly session: Session,
  ) {}

  /** Compiles the network in evaluation mode with these weights, on the CPU by default. */
  static async create(model: Model, weights: NamedArrays, threads: number, backend?: Backend): Promise<Evaluator> {
    const graph = evaluationGraph(model);
    const options = { threads, backend, frozen: weights, dynamicBatch: true };
    return new Evaluator(model, await Session.create(graph, options));
  }

  /** Logits (N, classes) of a batch of stored pixels. */
  async logits(batch: Pick<Batch, 'images' | 'labels' | 'size'>): Promise<NdArray> {
    return (await this.session.run(this.feeds(batch))).logits!;
  }

  /**
   * Accuracy and loss over the examples `indices` of a split, without augmentation, and their distance from a teacher's
   * logits, (examples, classes) in the order of `indices`, if given.
   */
  async evaluate(split: Split, indices: Uint32Array, teacherLogits?: Float32Array): Promise<Metrics> {
    return (await this.assess(split, indices, teacherLogits)).metrics;
  }

  /** As `evaluate`, with the prediction for each example. */
  async assess(
    split: Split,
    indices: Uint32Array,
    teacherLogits?: Float32Array,
  ): Promise<{ metrics: Metrics; predictions: Predictions }> {
    const { length } = indices;
    const predictions = {
      indices: Int32Array.from(indices),
      labels: new Int32Array(length),
      predicted: new Int32Array(length),
      confidences: new Float32Array(length),
    };
    let done = 0;
    let correct = 0;
    let loss = 0;
    let difference = 0;
    for await (const batch of loadBatches(split, indices, plainPass(this.model.input))) {
      const results = await this.session.run(this.feeds(batch));
      correct += Number(results.correct!.data[0]);
      loss += Number(results.crossEntropy!.data[0]) * batch.size;
      const logits = results.logits!.data as Float32Array;
      const classes = logits.length / batch.size;
      if (teacherLogits) logits.forEach((z, i) => (difference += Math.abs(teacherLogits[done * classes + i]! - z)));
      const predicted = predictedClasses({ logits, labels: batch.labels, classes });
      const scores = softmaxRows(logits, classes);
      predictions.labels.set(batch.labels, done);
      predictions.predicted.set(predicted, done);
      predicted.forEach((k, i) => (predictions.confidences[done + i] = scores[i * classes + k]!));
      done += batch.size;
    }
    const metrics = {
      accuracy: correct / length,
      loss: loss / length,
      ...(teacherLogits && { logit_difference: difference / teacherLogits.length }),
    };
    return { metrics, predictions };
  }

  release(): Promise<void> {
    return this.session.release();
  }

  private feeds({ images, labels, size }: Pick<Batch, 'images' | 'labels' | 'size'>): Record<string, NdArray> {
    return {
      images: ndarray('uint8', [size, ...this.model.input], images),
      labels: ndarray('int32', [size], labels),
    };
  }
}

/** 0 … size − 1. */
export function allOf(split: Split): Uint32Array {
  return Uint32Array.from({ length: split.size }, (_, i) => i);
}
