/** Graphs in the plainest way, and steps of theirs without any optimization: what the fast way is compared with. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { Graph, type Attribute, type TapeEntry, type Node } from '../../engine/graph';
import { nextName, writeModel } from '../../engine/onnx/write';
import type { Pair } from '../../engine/ops/conv_hints';
import { byTaps } from '../../engine/ops/conv_weight';
import type { Tensor } from '../../engine/tensor';
import { ndarray, type NamedArrays, type NdArray } from '../../formats/ndarray';

/**
 * What `build` makes where every convolution has its gradients in the same way, whatever its shape: to the input by
 * ConvTranspose, to the weight by all taps beside each other. `count` says how many convolutions there were.
 */
export function plainly<T>(build: () => T): { built: T; count: number } {
  const usual = Object.getOwnPropertyDescriptor(Graph.prototype, 'vjp')!;
  let count = 0;
  Graph.prototype.vjp = function (output, inputs, backward) {
    const node = this.nodes.findLast((one) => one.outputs.includes(output));
    const isConvolution = node?.opType === 'Conv';
    if (isConvolution) count++;
    this.tape.push({ output, inputs, backward: isConvolution ? plainGradients(node, inputs) : backward });
    return output;
  };
  try {
    return { built: build(), count };
  } finally {
    Object.defineProperty(Graph.prototype, 'vjp', usual);
  }
}

function plainGradients({ attributes }: Node, [x, weight, bias]: readonly Tensor[]): TapeEntry['backward'] {
  if (!x || !weight) throw new Error('plain: a convolution has an input and a weight');
  const { graph } = x;
  const pairOf = (value: Attribute | undefined) => (value as readonly number[]).slice(0, 2) as unknown as Pair;
  const [kernel, stride, padding, dilation] = [
    attributes.kernel_shape,
    attributes.strides,
    attributes.pads,
    attributes.dilations,
  ].map(pairOf) as [Pair, Pair, Pair, Pair];
  if (attributes.group !== 1) throw new Error('plain: a convolution in groups');
  return (grad, needs) => {
    const rest = [0, 1].map((i) => {
      const reach = dilation[i]! * (kernel[i]! - 1) + 1;
      return x.shape[2 + i]! - ((grad.shape[2 + i]! - 1) * stride[i]! + reach - 2 * padding[i]!);
    });
    const transposed = { ...attributes, output_padding: rest };
    const overImages = [grad, graph.integers([0, 2, 3])];
    return [
      needs[0] ? graph.emit('ConvTranspose', [grad, weight], x.shape, { attributes: transposed }) : undefined,
      needs[1] ? byTaps(x, grad, weight.shape, { kernel, stride, padding, dilation, groups: 1 }) : undefined,
      bias && needs[2] ? graph.emit('ReduceSum', overImages, bias.shape, { attributes: { keepdims: 0 } }) : undefined,
    ];
  };
}

/** Steps of a graph, from a copy of `initial`, as ONNX Runtime makes them when it optimizes nothing. */
export class PlainSession {
  private states: Map<string, OrtTensor>;

  private constructor(
    private readonly graph: Graph,
    private readonly ort: InferenceSession,
    initial: NamedArrays,
  ) {
    this.states = new Map([...initial].map(([name, array]) => [name, copied(array)]));
  }

  static async create(graph: Graph, initial: NamedArrays): Promise<PlainSession> {
    const ort = await InferenceSession.create(writeModel(graph), {
      graphOptimizationLevel: 'disabled',
      intraOpNumThreads: 1,
      enableMemPattern: false,
      logSeverityLevel: 3,
    });
    return new PlainSession(graph, ort, initial);
  }

  /** One step; the loss. */
  async step(feeds: Readonly<Record<string, NdArray>>): Promise<number> {
    const fed = Object.entries(feeds).filter(([name]) => this.graph.inputs.has(name));
    const inputs = [...this.states, ...fed.map(([name, array]) => [name, copied(array)] as const)];
    const results = await this.ort.run(Object.fromEntries(inputs));
    for (const name of this.graph.updates.keys()) this.states.set(name, results[nextName(name)]!);
    return Number(results.loss!.data[0]);
  }

  get(name: string): NdArray {
    const { type, dims, data } = this.states.get(name)!;
    return ndarray(type as 'float32', dims, data as Float32Array);
  }

  release(): Promise<void> {
    return this.ort.release();
  }
}

function copied({ dtype, shape, data }: NdArray): OrtTensor {
  return new OrtTensor(dtype, data.slice() as Float32Array, shape);
}
