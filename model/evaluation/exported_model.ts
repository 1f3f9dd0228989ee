/** An exported network: an ONNX file from pixels to logits without the training parts. */
import { Graph } from '../../engine/graph';
import { fold } from '../../engine/onnx/fold';
import { ForeignModel } from '../../engine/onnx/foreign';
import { toOpset17 } from '../../engine/onnx/opset17';
import { prune } from '../../engine/onnx/prune';
import { valuesOf } from '../../engine/onnx/rewrite';
import { writeModel } from '../../engine/onnx/write';
import { emitElementwise } from '../../engine/ops/elementwise';
import { ndarray, type NamedArrays, type NdArray } from '../../formats/ndarray';
import { median } from '../../utils/median';
import type { ImageShape } from '../data/dataset';
import type { Batch } from '../data/loader';
import { Layers } from '../nets/layers';
import type { Model } from '../nets/model';

/** A property of the file that declares that it takes pixels in [0, 1] and normalizes them itself. */
export const INPUT_RANGE = { key: 'input_range', value: '[0, 1]' } as const;

/**
 * The network in evaluation mode with these weights, BatchNorm folded: `images`, float32 (N, C, H, W) in [0, 1], which
 * it normalizes itself, to `output`, float32 (N, classes). Uses ONNX opset 17.
 */
export function deploymentGraph(model: Model, weights: NamedArrays, output = 'logits'): Graph {
  const graph = new Graph();
  const { mean, std } = model.normalize;
  const images = graph.input('images', 'float32', [1, ...model.input]);
  const perChannel = (values: readonly number[]) =>
    graph.constant(ndarray('float32', [1, values.length, 1, 1], Float32Array.from(values)));
  const normalized = emitElementwise('Div', emitElementwise('Sub', images, perChannel(mean)), perChannel(std));
  const { logits } = model.net(new Layers(graph, { mode: 'eval', seed: 0 }), normalized, model.options);
  graph.output(output, logits);
  prune(graph);
  return toOpset17(fold(graph, weights));
}

/** The bytes of an ONNX file: the graph with its weights, for any batch size, and its metadata. */
export function deployedModel(graph: Graph, properties: Readonly<Record<string, string>>): Uint8Array {
  const metadata = { [INPUT_RANGE.key]: INPUT_RANGE.value, ...properties };
  return writeModel(graph, { frozen: valuesOf(graph), dynamicBatch: true, opset: 17, metadata });
}

/** Converts stored pixels, 0 … 255, to the input of such a graph. */
export function pixelFeeds(images: Uint8Array, shape: ImageShape): { images: NdArray<'float32'> } {
  const size = images.length / (shape[0] * shape[1] * shape[2]);
  return {
    images: ndarray(
      'float32',
      [size, ...shape],
      Float32Array.from(images, (pixel) => pixel / 255),
    ),
  };
}

/** A loaded file of this kind. */
export class DeployedModel {
  private constructor(
    private readonly model: ForeignModel,
    private readonly shape: ImageShape,
    private readonly output: string,
  ) {}

  /** With 0 threads, every core is used. */
  static async open(path: string, shape: ImageShape, threads: number, output = 'logits'): Promise<DeployedModel> {
    return new DeployedModel(await ForeignModel.open(path, threads), shape, output);
  }

  async logits({ images }: Pick<Batch, 'images'>): Promise<NdArray> {
    const [logits] = await this.model.run(pixelFeeds(images, this.shape), [this.output]);
    return logits!;
  }

  /** Milliseconds of a run on `batchSize` images: the median of `runs`, after three warm-up runs. */
  async latency(batchSize: number, runs: number): Promise<number> {
    const [channels, height, width] = this.shape;
    const feeds = pixelFeeds(new Uint8Array(batchSize * channels * height * width).fill(128), this.shape);
    const times: number[] = [];
    for (let run = -3; run < runs; run++) {
      const began = performance.now();
      await this.model.run(feeds, [this.output]);
      if (run >= 0) times.push(performance.now() - began);
    }
    return median(times);
  }

  release(): Promise<void> {
    return this.model.release();
  }
}
