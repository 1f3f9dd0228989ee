/**
 * Scalars of full rank. ONNX Runtime 1.30 broadcasts a scalar of shape [] to a tensor whose last length is 1, as the weight of a 1 × 1
 * convolution (K, C, 1, 1), element by element: 2.4 ms for 400,000 of them. With a scalar of shape [1, 1, 1, 1] it takes 0.03 ms.
 */
import { ndarray, sizeOf } from '../../formats/ndarray';
import type { Graph, Node } from '../graph';
import { rewrite, type Rewriter } from '../onnx/rewrite';
import { emitReshape } from '../ops/shape';
import type { Tensor } from '../tensor';

const BY_ELEMENT = new Set(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Pow', 'Greater', 'Less', 'Equal', 'Where']);

/** The same graph, in which scalars have the rank of the tensors that they meet where that is faster. */
export function fullRankScalars(source: Graph): Graph {
  if (!source.nodes.some(isSlow)) return source;
  const made = new Map<string, Tensor>();
  return rewrite(source, (node, rewriter) => {
    if (!isSlow(node)) return undefined;
    const [output] = node.outputs as [Tensor];
    const inputs = node.inputs.map((input) =>
      isScalar(input!) ? ofRank(output.shape.length, input!, rewriter, made) : rewriter.lookup(input!),
    );
    const { opType, attributes } = node;
    return [rewriter.target.emit(opType, inputs, output.shape, { dtype: output.dtype, attributes })];
  });
}

function isSlow({ opType, inputs, outputs }: Node): boolean {
  const { shape } = outputs[0]!;
  if (!BY_ELEMENT.has(opType) || shape.at(-1) !== 1 || sizeOf(shape) === 1) return false;
  return inputs.some((input) => isScalar(input!) && input!.shape.length < shape.length);
}

function isScalar(tensor: Tensor): boolean {
  return sizeOf(tensor.shape) === 1;
}

function ofRank(rank: number, scalar: Tensor, rewriter: Rewriter, made: Map<string, Tensor>): Tensor {
  const key = `${rank} ${scalar.name}`;
  const shape = new Array<number>(rank).fill(1);
  const constant = rewriter.constant(scalar);
  const known = made.get(key);
  const tensor =
    known ??
    (constant
      ? rewriter.target.constant(ndarray(constant.dtype, shape, constant.data))
      : emitReshape(rewriter.lookup(scalar), shape));
  made.set(key, tensor);
  return tensor;
}
