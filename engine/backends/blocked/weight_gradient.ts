/**
 * The gradient of a convolution with respect to its weight, from blocked tensors. With images and channels exchanged it is a
 * convolution of x by ∂y, whose result is as small as the kernel,
 *   ∂w[k,c,r,t] = Σ ∂y[n,k,i,j] · x[n, c, i·s + r·d − p, j·s + t·d − p],
 * with stride and dilation exchanged. In the blocked layout that runs as fast as any other convolution.
 *
 * A block holds b images. The b channels of a block of x stand beside each other in a row, so that channel c of column j is
 * column j·b + c of a row of W·b; a row of the result then has b values for each tap, enough to keep the processor's registers
 * busy. Each block of images is a group with a kernel of its own, which spares a transposition of ∂y; the groups are added up.
 */
import { ndarray } from '../../../formats/ndarray';
import type { Geometry, WeightGradient } from '../../ops/conv_hints';
import { weightGradient as plainly } from '../../ops/conv_weight';
import { emitConcat, emitReshape, emitTranspose } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import type { LayoutMap } from './layout_map';
import { blockedConv, canBeFilled, fromBlocks, toBlocks, toBlocksFromLast } from './operators';
import { transposed } from './plane_transposition';

/** The gradient `meant`, of `shape` (K, C / groups, R, T), by the faster of the two methods. */
export function weightGradient(meant: WeightGradient, shape: readonly number[], layouts: LayoutMap): Tensor {
  const { x, grad, geometry } = meant;
  if (isDepthwise(meant)) return ofDepthwise(meant, shape, layouts);
  if (suits(meant, layouts.block)) return byImages(meant, shape, layouts);
  return plainly(
    layouts.plain(x),
    layouts.plain(grad),
    shape,
    geometry,
    canBeFilled(x.shape[1]!) ? layouts.channelsLast(x) : undefined,
  );
}

/** Pixels of ∂y from which its blocks, as kernels, no longer stay in a processor's caches. */
const MANY_PIXELS = 4096;

/** Whether the convolution can be formed, and is faster than matrix products. */
function suits({ x, grad, geometry }: WeightGradient, block: number): boolean {
  const [batch = 0, channels = 0] = x.shape;
  const [, features = 0, rows = 0, columns = 0] = grad.shape;
  if (geometry.groups > 1 || features % block !== 0 || rows * columns > MANY_PIXELS) return false;
  if (!fills(batch, block) || marginsAfter(x, grad, geometry).some((margin) => margin < 0)) return false;
  return channels % block === 0 ? geometry.dilation[1] === 1 : channels < block;
}

/** Whether at least three quarters of the blocks are images. */
function fills(batch: number, block: number): boolean {
  return 4 * batch >= 3 * Math.ceil(batch / block) * block;
}

/** Whether it is that of a depthwise convolution whose whole input is read. */
function isDepthwise({ x, grad, geometry }: WeightGradient): boolean {
  const channels = x.shape[1]!;
  if (!canBeFilled(channels) || geometry.groups !== channels || grad.shape[1] !== channels) return false;
  return marginsAfter(x, grad, geometry).every((margin) => margin >= 0);
}

/**
 * Of a depthwise convolution: every channel of every image is convolved by itself, the results are added up over the images. The
 * blocked maps are input and kernel as they are.
 */
function ofDepthwise({ x, grad, geometry }: WeightGradient, shape: readonly number[], layouts: LayoutMap): Tensor {
  const { kernel, stride, padding, dilation } = geometry;
  const [batch = 0, channels = 0] = x.shape;
  const after = marginsAfter(x, grad, geometry);
  const padded = withMargins(layouts.filledMap(x), padding[1], after[1]);
  const [, width = 0, ...space] = padded.shape;
  const [rows = 0, columns = 0] = grad.shape.slice(2);
  const { graph } = padded;
  const planes = batch * width;
  const inputs = [
    emitReshape(padded, [1, planes, ...space]),
    emitReshape(layouts.filledMap(grad), [planes, 1, rows, columns]),
  ] as const;
  const perImage = blockedConv(inputs, [1, planes, ...kernel], {
    strides: dilation,
    pads: [padding[0], 0, after[0], 0],
    dilations: stride,
    group: planes,
  });
  const taps = kernel[0] * kernel[1];
  const terms = emitReshape(perImage, [batch, width * taps]);
  const sum = graph.emit('ReduceSum', [terms, graph.integers([0])], [width * taps], { attributes: { keepdims: 0 } });
  return emitReshape(fromBlocks(sum, [1, channels, taps], layouts.block), shape);
}

/** How much of the padding is read after the last row and column; negative if not all of x is read. */
function marginsAfter(x: Tensor, grad: Tensor, { kernel, stride, padding, dilation }: Geometry): [number, number] {
  const margin = (i: 0 | 1) => {
    const read = (grad.shape[2 + i]! - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1;
    return read - x.shape[2 + i]! - padding[i];
  };
  return [margin(0), margin(1)];
}

function byImages({ x, grad, geometry }: WeightGradient, shape: readonly number[], layouts: LayoutMap): Tensor {
  const { block } = layouts;
  const { kernel, stride, padding, dilation } = geometry;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [, features = 0, rows = 0, columns = 0] = grad.shape;
  const groups = Math.ceil(batch / block);
  const images = groups * block;
  const after = marginsAfter(x, grad, geometry);
  const [outer, inner] = channels % block === 0 ? [channels / block, block] : [channels, 1];

  // x with blocks of channels for images, images for channels and W·b columns.
  const pixels = height * width * inner;
  const parts = [batch, outer, pixels];
  const byChannels = inner === block ? layouts.view(x, parts) : emitReshape(layouts.plain(x), parts);
  const { graph } = byChannels;
  const perImage = withZeroImages(byChannels, images);
  const turned = outer === 1 ? perImage : emitTranspose(perImage, [1, 0, 2]);
  const data = emitReshape(toBlocks(turned, [outer, images, pixels], block), [outer, images, height, width * inner]);
  const padded = withMargins(data, padding[1] * inner, after[1] * inner);

  // ∂y as one kernel (K, b, H', W') for each group, in blocks of both.
  const size = features * rows * columns;
  const gradPerImage = withZeroImages(layouts.view(grad, [batch, 1, size]), images);
  const weight = toBlocksFromLast(gradPerImage, [groups, block, size], block);

  const inputs = [padded, emitReshape(weight, [groups * features, block, rows, columns])] as const;
  const perGroup = blockedConv(inputs, [outer, groups * features, kernel[0], kernel[1] * inner], {
    strides: dilation,
    pads: [padding[0], 0, after[0], 0],
    dilations: [stride[0], stride[1] * inner],
    group: groups,
  });
  const taps = kernel[0] * kernel[1];
  const split = emitReshape(perGroup, [outer, groups, features / block, taps, inner, block]);
  const sum = graph.emit('ReduceSum', [split, graph.integers([1])], [outer, features / block, taps, inner, block], {
    attributes: { keepdims: 0 },
  });
  // The taps first, which leaves whole kernels to move.
  const kernels = taps === 1 ? sum : transposed(sum, [(outer * features) / block, taps, inner * block], block);
  const apart = emitReshape(kernels, [outer, features / block, inner, block, taps]);
  return emitReshape(emitTranspose(apart, [1, 3, 0, 2, 4]), shape);
}

/**
 * A blocked map with columns of zeros. A convolution can have them itself, but ONNX Runtime's kernel is slow for every value whose
 * window reaches over the edge.
 */
function withMargins(map: Tensor, left: number, right: number): Tensor {
  if (left + right === 0) return map;
  const { graph } = map;
  const [batch = 0, channels = 0, height = 0, width = 0] = map.shape;
  const ones = graph.constant(ndarray('float32', [channels, 1, 1, 1], new Float32Array(channels).fill(1)));
  const shape = [batch, channels, height, left + width + right];
  return blockedConv([map, ones], shape, { pads: [0, left, 0, right], group: channels });
}

/** (N, …) with images of zeros up to `images`. */
function withZeroImages(x: Tensor, images: number): Tensor {
  const [batch = 0, ...rest] = x.shape;
  return images === batch ? x : emitConcat([x, x.graph.zeros([images - batch, ...rest])], 0);
}
