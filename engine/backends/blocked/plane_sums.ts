/**
 * Sums of products over whole maps, Σ a[n,c,i,j] · b[n,c,i,j], and of squares: those of normalizations and their gradients. Such a sum is
 * a depthwise convolution of a with b as its kernel, which reads both once and writes nothing but the sums.
 */
import { sizeOf } from '../../../formats/ndarray';
import type { Graph, Node } from '../../graph';
import type { Replacement, Rewriter } from '../../onnx/rewrite';
import { emitReshape } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import type { LayoutMap } from './layout_map';
import { blockedConv } from './operators';

/** The factors of products that nothing but a sum reads. */
export type Products = ReadonlyMap<Tensor, readonly [Tensor, Tensor]>;

/** The products of a graph that only a ReduceSum reads, as they are or with all places of a map in one axis. */
export function summedProducts(graph: Graph, soleReader: (tensor: Tensor) => Node | undefined): Products {
  const products = new Map<Tensor, readonly [Tensor, Tensor]>();
  for (const { opType, inputs, outputs } of graph.nodes) {
    if (opType !== 'Mul') continue;
    const [product] = outputs as [Tensor];
    const reader = soleReader(product);
    const summed = reader?.opType === 'Reshape' ? reader.outputs[0]! : product;
    if (soleReader(summed)?.opType === 'ReduceSum') products.set(summed, inputs as [Tensor, Tensor]);
  }
  return products;
}

/** What replaces a sum over whole blocked maps, and perhaps over images, of products or squares; undefined for other nodes. */
export function planeSums(
  { opType, inputs, outputs, attributes }: Node,
  products: Products,
  layouts: LayoutMap,
  rewriter: Rewriter,
): Replacement | undefined {
  const [x, axesInput] = inputs as [Tensor, Tensor];
  const factors = opType === 'ReduceSumSquare' ? ([x, x] as const) : opType === 'ReduceSum' && products.get(x);
  const axes = factors ? rewriter.integers(axesInput) : undefined;
  if (!factors || !axes || axes.includes(1) || attributes.keepdims === 1 || x.shape.length < 3) return undefined;
  if (!factors.every((factor) => layouts.has(factor) && hasSameChannels(factor, x))) return undefined;
  if (!x.shape.every((_, axis) => axis < 2 || axes.includes(axis))) return undefined;

  const [batch = 0, channels = 0, height = 0, ...rest] = x.shape;
  const [planes, width] = [batch * channels, sizeOf(rest)];
  const map = layouts.view(factors[0], [1, planes, height, width]);
  const { graph } = map;
  const kernel = layouts.view(factors[1], [planes, 1, height, width]);
  const sums = blockedConv([map, kernel], [1, planes, 1, 1], { group: planes });
  if (!axes.includes(0)) return emitReshape(sums, outputs[0]!.shape);
  const perImage = emitReshape(sums, [batch, channels]);
  return graph.emit('ReduceSum', [perImage, graph.integers([0])], outputs[0]!.shape, { attributes });
}

function hasSameChannels(a: Tensor, b: Tensor): boolean {
  return a.shape[0] === b.shape[0] && a.shape[1] === b.shape[1] && sizeOf(a.shape) === sizeOf(b.shape);
}
