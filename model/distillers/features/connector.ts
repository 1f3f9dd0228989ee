/** Maps a student's feature map to the teacher's channels (Heo et al. 2019). */
import { normal, uniform } from '../../../engine/initializers';
import { matmulTransposed } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Layers } from '../../nets/layers';

/** 1×1 convolution, N(0, 2 / channels), and BatchNorm: `<name>.0` and `<name>.1`. */
export function connector(layers: Layers, name: string, x: Tensor, channels: number): Tensor {
  const init = normal(Math.sqrt(2 / channels));
  return layers.batchNorm(`${name}.1`, layers.conv(`${name}.0`, x, channels, { kernel: 1, init }));
}

/** A linear layer without a bias, `<name>.weight`: before BatchNorm, which would take a bias away again. */
export function projected(layers: Layers, name: string, x: Tensor, width: number): Tensor {
  const inputs = x.shape[1]!;
  return matmulTransposed(x, layers.parameter(`${name}.weight`, [width, inputs], uniform(1 / Math.sqrt(inputs))));
}
