/**
 * Static quantization to 8 bits after training (Jacob et al. 2018; Krishnamoorthi 2018, "Quantizing deep convolutional
 * networks for efficient inference: a whitepaper"), written as pairs of QuantizeLinear and DequantizeLinear around float
 * operators (ONNX's QDQ form): every runtime computes the same numbers, and those that can run 8-bit kernels instead.
 *
 *   activations  q = round(x / s) + z in uint8, one scale s and zero point z a tensor, from its range on sample images
 *   weights      q = round(w / s) in int8, −127 … 127, one scale an output channel
 *   biases       q = round(b / (s_x · s_w)) in int32, the scale of the products that they are added to
 *
 * x86 processors without VNNI add two products of uint8 and int8 in 16 bits, which saturate from 2 · 255 · 65 on. With a
 * reduced range weights are −64 … 64, so that none does.
 */
import { ndarray, type NdArray } from '../../formats/ndarray';
import type { Graph, Node } from '../graph';
import type { Tensor } from '../tensor';
import { rewrite, soleReaders, type Rewriter } from './rewrite';

/** The smallest and the largest value of a tensor. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** x ≈ scale · (q − zeroPoint) for q in 0 … 255. */
export interface Scale {
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * The activations of a folded graph that are quantized, by name: inputs and outputs of convolutions and linear layers, the
 * latter after a ReLU or Clip; but not the graph's own inputs and outputs, nor logits that a softmax reads: 256 values are too
 * few for what is exponentiated.
 */
export function quantizedActivations(graph: Graph): Map<string, Tensor> {
  const soleReader = soleReaders(graph);
  const scores = graph.nodes.filter(({ opType }) => /Softmax$/.test(opType)).map(({ inputs }) => inputs[0]!);
  const ends = new Set([...graph.inputs.values(), ...graph.outputs.values(), ...scores]);
  const chosen = new Map<string, Tensor>();
  for (const layer of graph.nodes.filter((node) => isLayer(node, graph))) {
    const result = layer.outputs[0]!;
    const next = soleReader(result);
    const activated = next && /^(Relu|Clip)$/.test(next.opType) ? next.outputs[0]! : result;
    for (const tensor of [layer.inputs[0]!, activated]) if (!ends.has(tensor)) chosen.set(tensor.name, tensor);
  }
  return chosen;
}

/** Largest magnitudes of a quantized weight. */
const FULL_RANGE = 127;
const REDUCED_RANGE = 64;

/** Options of `quantize`. */
export interface QuantizeOptions {
  /** Quantizes weights to 7 bits, so that sums of products saturate on no processor; false by default. */
  readonly reduceRange?: boolean;
}

/** Quantizes a folded graph, given the range of each of its `quantizedActivations`. Throws if one is missing. */
export function quantize(
  graph: Graph,
  ranges: ReadonlyMap<string, Range>,
  { reduceRange = false }: QuantizeOptions = {},
): Graph {
  const largest = reduceRange ? REDUCED_RANGE : FULL_RANGE;
  const scales = new Map<Tensor, Scale>();
  for (const tensor of quantizedActivations(graph).values()) {
    const range = ranges.get(tensor.name);
    if (!range) throw new Error(`quantize: no range for "${tensor.name}"`);
    scales.set(tensor, activationScale(range));
  }
  // What only moves values keeps their scale, so that it can work on the 8-bit values.
  const outputs = new Set(graph.outputs.values());
  for (const node of graph.nodes) {
    const scale = scales.get(node.inputs[0]!);
    const result = node.outputs[0]!;
    if (scale && /^(MaxPool|Reshape|Transpose|Slice)$/.test(node.opType) && !outputs.has(result)) {
      scales.set(result, scale);
    }
  }
  return rewrite(graph, (node, rewriter) => {
    const results = isLayer(node, graph) ? [quantizedLayer(node, rewriter, scales, largest)] : rewriter.copy(node);
    return results.map((result, i) => {
      const scale = scales.get(node.outputs[i]!);
      return scale ? requantized(result, scale, rewriter) : result;
    });
  });
}

/** The scale and zero point of a range, which is first widened to include 0, so that 0 is exact. */
export function activationScale({ min, max }: Range): Scale {
  const low = Math.min(min, 0);
  const scale = Math.fround((Math.max(max, 0) - low) / 255) || 1;
  return { scale, zeroPoint: Math.round((0 - low) / scale) };
}

/**
 * The scale of each output channel of a weight (K, …): (K), such that its largest magnitude becomes `most`, at most 127. If a
 * bias is so much larger than the weights that it would overflow int32 at this scale, the scale is larger.
 */
export function weightScales(weight: NdArray, bias?: NdArray, inputScale = 1, most = FULL_RANGE): Float32Array {
  const channels = weight.shape[0]!;
  const taps = weight.data.length / channels;
  return Float32Array.from({ length: channels }, (_, k) => {
    const values = weight.data.subarray(k * taps, (k + 1) * taps) as Float32Array;
    const largest = values.reduce((so, value) => Math.max(so, Math.abs(value)), 0);
    const fromBias = Math.abs(Number(bias?.data[k] ?? 0)) / inputScale / 2 ** 30;
    return Math.max(largest / most, fromBias) || 1;
  });
}

/** A convolution or linear layer with known weights. */
function isLayer({ opType, attributes, inputs: [, ...weights] }: Node, { states, constants }: Graph): boolean {
  const isKnown = (tensor: Tensor | undefined) => !tensor || states.has(tensor.name) || constants.has(tensor);
  return (opType === 'Conv' || (opType === 'Gemm' && attributes.transB === 1)) && weights.every(isKnown);
}

/** The layer on its quantized weights and bias; its input is quantized where it was made. */
function quantizedLayer(layer: Node, rewriter: Rewriter, scales: ReadonlyMap<Tensor, Scale>, largest: number): Tensor {
  const { target } = rewriter;
  const [x, weight, bias] = layer.inputs as [Tensor, Tensor, Tensor | undefined];
  const inputScale = scales.get(x)?.scale;
  const [w, b] = [rewriter.value(weight)!, bias && rewriter.value(bias)!];
  const byChannel = weightScales(w, b, inputScale, largest);
  const dequantized = (tensor: Tensor, array: NdArray<'int8' | 'int32'>, scale: Float32Array) => {
    // Layers that share a weight have scales of their own, as their biases and inputs differ.
    let name = tensor.name;
    while (target.states.has(name)) name += "'";
    const values = target.buffer(name, array.dtype, array.shape, () => array);
    const factors = ndarray('float32', [scale.length], scale);
    const perChannel = target.buffer(`${name}_scale`, 'float32', [scale.length], () => factors);
    // ONNX Runtime wants to see the zeros of a weight before it takes its 8-bit kernel for Gemm.
    const zeros = array.dtype === 'int8' ? target.constant(ndarray('int8', [scale.length])) : undefined;
    return target.emit('DequantizeLinear', [values, perChannel, zeros], array.shape, {
      dtype: 'float32',
      attributes: { axis: 0 },
    });
  };
  const taps = w.data.length / byChannel.length;
  const rounded = Int8Array.from(w.data as Float32Array, (value, i) =>
    Math.round(value / byChannel[Math.floor(i / taps)]!),
  );
  const inputs = [rewriter.lookup(x), dequantized(weight, ndarray('int8', w.shape, rounded), byChannel)];
  if (bias && b && inputScale === undefined) inputs.push(rewriter.lookup(bias));
  if (bias && b && inputScale !== undefined) {
    const products = byChannel.map((scale) => scale * inputScale);
    const sums = Int32Array.from(b.data as Float32Array, (value, k) => Math.round(value / products[k]!));
    inputs.push(dequantized(bias, ndarray('int32', b.shape, sums), products));
  }
  return target.emit(layer.opType, inputs, layer.outputs[0]!.shape, layer);
}

/** x on its grid of 256 values: quantized and back. */
function requantized(x: Tensor, { scale, zeroPoint }: Scale, { target }: Rewriter): Tensor {
  const grid = [target.scalar(scale), target.constant(ndarray('uint8', [], Uint8Array.of(zeroPoint)))];
  const q = target.emit('QuantizeLinear', [x, ...grid], x.shape, { dtype: 'uint8' });
  return target.emit('DequantizeLinear', [q, ...grid], x.shape, { dtype: 'float32' });
}
