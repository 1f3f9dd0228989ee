/** Convolutions on blocked tensors with their post-ops; an affine map by channel is a depthwise convolution, too. */
import type { Node } from '../../graph';
import type { Rewriter } from '../../onnx/rewrite';
import { unflippedKernelOf } from '../../ops/conv_hints';
import { emitElementwise } from '../../ops/elementwise';
import { emitReshape, emitTranspose } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import type { LayoutMap } from './layout_map';
import { blockedConv, toBlocks, type BlockedGeometry } from './operators';

/** What is done to a result in the same pass, before it is written: + shortcut, then max(·, 0). */
export interface PostOps {
  readonly shortcut?: Tensor | undefined;
  readonly hasRelu: boolean;
}

/** Whether ONNX Runtime has a blocked kernel for a node: a convolution whose features fill blocks, and whose channels do or are few. */
export function isConvolution({ opType, inputs, attributes }: Node, block: number): boolean {
  const [x, weight] = inputs;
  if (opType !== 'Conv' || x?.shape.length !== 4) return false;
  const [, channels = 0] = x.shape;
  const [features = 0] = weight!.shape;
  if (features % block !== 0) return false;
  if (attributes.group === 1) return channels % block === 0 || channels < block;
  return attributes.group === channels && features === channels;
}

/** The blocked result of a convolution and its post-ops. */
export function convolution(node: Node, layouts: LayoutMap, postOps: PostOps): Tensor {
  const [x, weight, bias] = node.inputs as [Tensor, Tensor, Tensor | undefined];
  const input = x.shape[1]! < layouts.block ? layouts.plain(x) : layouts.blockedMap(x);
  const kernel = weightOf(weight, layouts);
  return convolved(
    input,
    kernel,
    bias && layouts.plain(bias),
    node.outputs[0]!.shape,
    node.attributes as unknown as BlockedGeometry,
    layouts,
    postOps,
  );
}

/** Whether a node is a BatchNormalization of a blocked map by given statistics: an affine map of each channel. */
export function isAffine({ opType, inputs }: Node, layouts: LayoutMap): boolean {
  const [x] = inputs;
  return opType === 'BatchNormalization' && x?.shape.length === 4 && layouts.has(x);
}

/** The blocked γ (x − μ) / √(σ² + ε) + β = x · slope + offset, as a depthwise 1 × 1 convolution, and its post-ops. */
export function affine(node: Node, layouts: LayoutMap, postOps: PostOps, rewriter: Rewriter): Tensor {
  const [x, ...vectors] = node.inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const [scale, bias, mean, variance] = vectors.map((vector) => layouts.plain(vector)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const { float: eps } = node.attributes.epsilon as { float: number };
  const holds = (i: number, value: number) => {
    const constant = rewriter.constant(vectors[i]!);
    return constant !== undefined && constant.data.every((element) => Number(element) === value);
  };
  let slope = scale;
  let offset: Tensor | undefined = holds(1, 0) ? undefined : bias;
  if (eps !== 0 || !holds(2, 0) || !holds(3, 1)) {
    const { graph } = scale;
    const deviation = graph.emit('Sqrt', [emitElementwise('Add', variance, graph.scalar(eps))], variance.shape);
    slope = emitElementwise('Div', scale, deviation);
    offset = emitElementwise('Sub', bias, emitElementwise('Mul', mean, slope));
  }
  const [, channels = 0] = x.shape;
  const kernel = emitReshape(slope, [channels, 1, 1, 1]);
  return convolved(layouts.blockedMap(x), kernel, offset, x.shape, { group: channels }, layouts, postOps);
}

function convolved(
  input: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  shape: readonly number[],
  geometry: BlockedGeometry,
  layouts: LayoutMap,
  { shortcut, hasRelu }: PostOps,
): Tensor {
  const added = shortcut && layouts.blockedMap(shortcut);
  const rest = added ? [bias, added] : bias ? [bias] : [];
  const map = blockedConv([input, kernel, ...rest], shape, hasRelu ? { ...geometry, activation: 'Relu' } : geometry);
  return layouts.formOfMap(map);
}

/**
 * The weight (K, C, R, T) of a convolution as its blocked kernel reads it: (K/b, C/b, R, T, b of C, b of K), or
 * (K/b, C, R, T, b of K) where channels do not fill a block.
 */
function weightOf(weight: Tensor, layouts: LayoutMap): Tensor {
  const { block } = layouts;
  const origin = unflippedKernelOf(weight);
  if (origin && weight.shape[1]! % block === 0) return flippedWeightOf(origin, weight.shape, layouts);
  const [features = 0, channels = 0, rows = 0, columns = 0] = weight.shape;
  const taps = rows * columns;
  const inner = toBlocks(layouts.plain(weight), [1, features, channels * taps], block);
  if (channels < block || taps === 1) return emitReshape(inner, weight.shape);
  const split = emitReshape(inner, [features / block, channels / block, block, taps, block]);
  return emitReshape(emitTranspose(split, [0, 1, 3, 2, 4]), weight.shape);
}

/** The same of the flipped and transposed kernel by which the gradient to the input is convolved, from the weight itself. */
function flippedWeightOf(weight: Tensor, shape: readonly number[], layouts: LayoutMap): Tensor {
  const turned = blocksOfTaps(weight, layouts);
  const taps = turned.shape[2]!;
  if (taps === 1) return emitReshape(turned, shape);
  const { graph } = turned;
  const order = graph.integers(Array.from({ length: taps }, (_, tap) => taps - 1 - tap));
  const reversed = graph.emit('Gather', [turned, order], turned.shape, { attributes: { axis: 2 } });
  return emitReshape(reversed, shape);
}

/** A weight (K, C, R, T) with features and channels exchanged, in blocks of both: (C/b, K/b, R·T, b of K, b of C). */
export function blocksOfTaps(weight: Tensor, layouts: LayoutMap): Tensor {
  const { block } = layouts;
  const [features = 0, channels = 0, rows = 0, columns = 0] = weight.shape;
  const taps = rows * columns;
  const inner = toBlocks(layouts.plain(weight), [features, channels, taps], block);
  const split = emitReshape(inner, [features / block, block, channels / block, taps, block]);
  return emitTranspose(split, [2, 0, 3, 1, 4]);
}
