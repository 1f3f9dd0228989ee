/**
 * What methods look at inside of a network from an ONNX file: `pooled` is the vector that its last linear layer sees,
 * `stage1`, … the last map of each resolution, from the largest to the smallest.
 */
import type { Built, Inner } from '../../engine/onnx/trainable/network';
import { globalAvgPool, reshape } from '../../engine/ops/index';
import { formatShape, type Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import type { NetOutputs } from './net';

/** Operators behind which the classifier still stands. */
const PASSED_ON = [
  'Add',
  'Identity',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Mul',
  'Div',
  'Relu',
  'Dropout',
  'GlobalAveragePool',
  'ReduceMean',
];
const LINEAR = ['Gemm', 'MatMul', 'Conv'];

/** The outputs of a network as it was built. A UserError tells that its output is not a row of logits for each image. */
export function tapsOf(built: Built, path: string): NetOutputs {
  const logits = rowsOf(built.logits);
  if (!logits) {
    throw new UserError(
      `${path}: gives ${formatShape(built.logits.shape)} for ${built.logits.shape[0]} images, accepted is (N, classes)`,
    );
  }
  const stages = stagesOf(built);
  return {
    logits,
    pooled: pooledOf(built),
    features: Object.fromEntries([...stages].map(([name, { tensor }]) => [name, tensor])),
  };
}

/** (N, classes), of maps of one pixel too. */
function rowsOf(tensor: Tensor): Tensor | undefined {
  const [batch = 0, classes = 0, ...places] = tensor.shape;
  if (tensor.shape.length < 2 || places.some((length) => length !== 1)) return undefined;
  return places.length === 0 ? tensor : reshape(tensor, [batch, classes]);
}

/** The last map of each resolution, by name. */
function stagesOf({ inner }: Built): Map<string, Inner> {
  const bySize = new Map<string, Inner>();
  for (const value of inner.values()) {
    const { shape } = value.tensor;
    const [, , height = 0, width = 0] = shape;
    if (shape.length === 4 && height > 1 && width > 1 && shape[1]! > 1 && isWhole(value))
      bySize.set(`${height}x${width}`, value);
  }
  const area = ({ tensor: { shape } }: Inner) => shape[2]! * shape[3]!;
  const sorted = [...bySize.values()].sort((a, b) => area(b) - area(a));
  return new Map(sorted.map((value, i) => [`stage${i + 1}`, value]));
}

/** Is it a map of the network and not one of attention? */
function isWhole({ node }: Inner): boolean {
  return !['MatMul', 'Softmax', 'Transpose', 'Reshape', 'Gather', 'Split', 'Slice', 'Einsum'].includes(node.opType);
}

/** The vector that the last linear layer sees; of a convolution as the classifier, the mean over places of its map. */
function pooledOf({ logits, inner }: Built): Tensor {
  const makers = new Map([...inner.values()].map((value) => [value.tensor, value]));
  const waiting = [logits];
  const { tape } = logits.graph;
  const madeBy = new Map(tape.map((entry) => [entry.output, entry.inputs]));
  for (let steps = 0; waiting.length > 0 && steps < 64; steps++) {
    const tensor = waiting.shift()!;
    const maker = makers.get(tensor);
    const inputs = madeBy.get(tensor) ?? [];
    if (maker && LINEAR.includes(maker.node.opType)) return vectorOf(inputs[0]!);
    if (maker && !PASSED_ON.includes(maker.node.opType)) continue;
    waiting.push(...inputs);
  }
  return logits;
}

function vectorOf(tensor: Tensor): Tensor {
  return tensor.shape.length === 4 ? globalAvgPool(tensor) : tensor;
}
