/**
 * The gradient of a convolution with respect to its weight, from blocked tensors. With images and channels exchanged it is a
 * convolution of x by ∂y, whose result is as small as the kernel,
 *   ∂w[k,c,r,t] = Σ ∂y[n,k,i,j] · x[n, c, i·s + r·d − p, j·s + t·d − p],
 * with stride and dilation exchanged. In the blocked layout that runs as fast as any other convolution.
 */
import { ndarray, sizeOf } from '../../../formats/ndarray';
import type { Geometry, WeightGradient } from '../../ops/conv_hints';
import { weightGradient as plainly } from '../../ops/conv_weight';
import { emitReshape, emitTranspose } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import { BLOCKED_DOMAIN, reordered, type LayoutMap } from './layout_map';

/** The gradient `meant`, of `shape` (K, C / groups, R, T), by the faster of the two methods. */
export function weightGradient(meant: WeightGradient, shape: readonly number[], layouts: LayoutMap): Tensor {
  const { x, grad, geometry } = meant;
  if (suits(meant, layouts.block)) return bySwapping(meant, shape, layouts);
  return plainly(
    layouts.plain(x),
    layouts.plain(grad),
    shape,
    geometry,
    layouts.has(x) ? layouts.channelsLast(x) : undefined,
  );
}

/** Whether this is faster than matrix products: with channels for two blocks, on maps of up to 16 × 16. */
function suits({ x, grad, geometry }: WeightGradient, block: number): boolean {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [, features = 0] = grad.shape;
  if (geometry.groups > 1 || batch % block !== 0 || features % block !== 0) return false;
  if (geometry.kernel[0] === 1 || marginsAfter(x, grad, geometry).some((margin) => margin < 0)) return false;
  return channels >= 2 * block && height * width <= 256;
}

/** How much of the padding is read after the last row and column; negative if not all of x is read. */
function marginsAfter(x: Tensor, grad: Tensor, { kernel, stride, padding, dilation }: Geometry): number[] {
  return [0, 1].map((i) => {
    const read = (grad.shape[2 + i]! - 1) * stride[i]! + (kernel[i]! - 1) * dilation[i]! + 1;
    return read - x.shape[2 + i]! - padding[i]!;
  });
}

function bySwapping({ x, grad, geometry }: WeightGradient, shape: readonly number[], layouts: LayoutMap): Tensor {
  const { block } = layouts;
  const { kernel, stride, padding, dilation } = geometry;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [, features = 0, rows = 0, columns = 0] = grad.shape;
  const groups = batch / block;
  const pixels = height * width;

  // x as (C, N, H, W) in blocks of images, with its padding.
  const isBlocked = layouts.has(x);
  const form = isBlocked ? layouts.blocked(x) : layouts.plain(x);
  const [outer, inner] = isBlocked ? [channels / block, block] : [1, channels];
  const byImages = reordered(form, [1, batch, channels * pixels]);
  const { graph } = byImages;
  const turned = isBlocked
    ? emitTranspose(emitReshape(byImages, [groups, outer, pixels, inner, block]), [1, 3, 0, 2, 4])
    : emitTranspose(emitReshape(byImages, [groups, channels, pixels * block]), [1, 0, 2]);
  const data = emitReshape(turned, [channels, batch, height, width]);
  const after = marginsAfter(x, grad, geometry);
  const ones = graph.constant(ndarray('float32', [batch, 1, 1, 1], new Float32Array(batch).fill(1)));
  const padded =
    sizeOf(padding) === 0 && sizeOf(after) === 0
      ? data
      : graph.emit(
          'Conv',
          [data, ones],
          [channels, batch, height + padding[0] + after[0]!, width + padding[1] + after[1]!],
          {
            domain: BLOCKED_DOMAIN,
            attributes: {
              kernel_shape: [1, 1],
              strides: [1, 1],
              pads: [...padding, ...after],
              dilations: [1, 1],
              group: batch,
            },
          },
        );

  // ∂y as the kernel (K, N, H', W') in blocks of both.
  const split = emitReshape(layouts.blocked(grad), [groups, block, features / block, rows * columns, block]);
  const weight = emitReshape(emitTranspose(split, [2, 0, 3, 1, 4]), [features, batch, rows, columns]);

  const result = graph.emit('Conv', [padded, weight], [channels, features, ...kernel], {
    domain: BLOCKED_DOMAIN,
    attributes: { kernel_shape: [rows, columns], strides: dilation, pads: [0, 0, 0, 0], dilations: stride, group: 1 },
  });
  const taps = emitReshape(result, [channels, features / block, sizeOf(kernel), block]);
  return emitReshape(emitTranspose(taps, [1, 3, 0, 2]), shape);
}
