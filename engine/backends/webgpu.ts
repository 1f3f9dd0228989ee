/**
 * Rewriting a graph in operators that ONNX Runtime's WebGPU provider has. Those that it lacks would run on the host, and their
 * tensors would cross the bus twice: products with a transposed factor, and the logarithm of a softmax. Vectors are normalized
 * as maps of one pixel, as the provider confuses their axes.
 */
import type { Graph, Node } from '../graph';
import { rewrite, type Rewriter } from '../onnx/rewrite';
import { exp, log, max, sub, sum } from '../ops';
import { emitReshape, emitTranspose } from '../ops/shape';
import type { Tensor } from '../tensor';

/** The same graph in operators that the WebGPU provider runs on the device. */
export function forWebGpu(graph: Graph): Graph {
  return rewrite(graph, (node, rewriter) => {
    if (node.opType === 'FusedMatMul') return [product(node, rewriter)];
    if (node.opType === 'LogSoftmax') return [logSoftmax(node, rewriter)];
    if (node.opType === 'BatchNormalization' && node.outputs[0]!.shape.length === 2) return [batchNorm(node, rewriter)];
    return undefined;
  });
}

function product({ inputs, outputs, attributes }: Node, rewriter: Rewriter): Tensor {
  const [a, b] = inputs.map((input) => rewriter.lookup(input!)) as [Tensor, Tensor];
  const { transA = 0, transB = 0 } = attributes;
  if (a.shape.length === 2 && b.shape.length === 2)
    return a.graph.emit('Gemm', [a, b], outputs[0]!.shape, { attributes: { transA, transB } });
  const turned = (x: Tensor) => {
    const axes = x.shape.map((_, axis) => axis);
    return emitTranspose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
  };
  return a.graph.emit('MatMul', [transA ? turned(a) : a, transB ? turned(b) : b], outputs[0]!.shape);
}

/** y − ln Σ eʸ with y = x − max x. */
function logSoftmax({ inputs, attributes }: Node, rewriter: Rewriter): Tensor {
  const x = rewriter.lookup(inputs[0]!);
  const along = { axes: [Number(attributes.axis)], keepDims: true };
  const y = sub(x, max(x, along));
  return sub(y, log(sum(exp(y), along)));
}

function batchNorm({ opType, inputs, outputs, attributes }: Node, rewriter: Rewriter): Tensor {
  const [x, ...statistics] = inputs.map((input) => rewriter.lookup(input!)) as [Tensor, ...Tensor[]];
  const maps = emitReshape(x, [...x.shape, 1, 1]);
  return emitReshape(x.graph.emit(opType, [maps, ...statistics], maps.shape, { attributes }), outputs[0]!.shape);
}
