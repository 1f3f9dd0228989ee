/** Converts stored pixels to the input of an external model. */
import { Graph } from '../../../engine/graph';
import { add, conv2d, div } from '../../../engine/ops';
import { emitReshape } from '../../../engine/ops/shape';
import type { Tensor } from '../../../engine/tensor';
import { ndarray } from '../../../formats/ndarray';
import type { ImageShape } from '../../data/dataset';
import { normalizedPixels, storedPixels } from '../../nets/model';
import type { Pixels } from './input';

/**
 * Weights of R, G and B in a gray pixel, and the offset that rounds the division by their sum 65,536: bit-identical to
 * Pillow's `convert("L")`, since float32 represents all of these sums exactly.
 */
const LUMA = { weights: [19595, 38470, 7471], half: 32768, sum: 65536 };

/** Converts stored pixels (N, C, H, W) to the channels, normalization, size and layout of the model. */
export function preparation(stored: ImageShape, pixels: Pixels): Graph {
  const graph = new Graph();
  const { height, width, layout, isWhole } = pixels;
  let x = inChannels(storedPixels(graph, stored, 1), pixels.channels);
  const channels = x.shape[1]!;
  x = normalizedPixels(x, [channels, height, width], pixels);
  // Pixels are not negative, so the cut of half above is the nearest whole number.
  if (isWhole) x = cut(add(x, 0.5));
  if (layout === 'NHWC' || layout === 'N(HWC)') {
    x = graph.emit('Transpose', [x], [1, height, width, channels], { attributes: { perm: [0, 2, 3, 1] } });
  }
  if (layout === 'NHW') x = emitReshape(x, [1, height, width]);
  if (layout === 'N(CHW)' || layout === 'N(HWC)') x = emitReshape(x, [1, channels * height * width]);
  graph.output('prepared', x);
  return graph;
}

/** Pixels, 0 … 255, of one channel or of R, G, B, as expected by the model. */
function inChannels(x: Tensor, channels: Pixels['channels']): Tensor {
  const { graph } = x;
  const [batch = 1, stored, height = 1, width = 1] = x.shape;
  if (channels === 'gray') {
    if (stored === 1) return x;
    const { weights, half, sum } = LUMA;
    const weight = graph.constant(ndarray('float32', [1, 3, 1, 1], Float32Array.from(weights)));
    return cut(div(add(conv2d(x, weight), half), sum));
  }
  if (channels === 'RGB' && stored === 3) return x;
  const order = stored === 1 ? [0, 0, 0] : [2, 1, 0];
  return graph.emit('Gather', [x, graph.integers(order)], [batch, 3, height, width], { attributes: { axis: 1 } });
}

/** Rounds down; values are not negative. */
function cut(x: Tensor): Tensor {
  const { graph } = x;
  const whole = graph.emit('Cast', [x], x.shape, { dtype: 'int32', attributes: { to: 6 } });
  return graph.emit('Cast', [whole], x.shape, { dtype: 'float32', attributes: { to: 1 } });
}
