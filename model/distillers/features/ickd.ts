/** Inter-channel correlation (Liu et al. 2021, ICCV, "Exploring inter-channel correlation for diversity-preserved knowledge distillation"). */
import { add, matmulTransposed, mul, reshape, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, type LayerOptions } from '../pairs';
import { unit } from '../relations/vectors';

interface IckdOptions extends LayerOptions {
  readonly weight: number;
}

/** F Fᵀ of each image, rows at length 1: how the channels of a map (N, C, H, W) go together → (N, C, C). */
function channelCorrelation(map: Tensor): Tensor {
  const [batch = 1, channels = 1, height = 1, width = 1] = map.shape;
  const rows = reshape(map, [batch, channels, height * width]);
  return unit(matmulTransposed(rows, rows));
}

/** Σ (G_s − G_t)² / (N · C), G = `channelCorrelation` of maps of as many channels; they may differ in size. */
function channelCorrelationLoss(student: Tensor, teacher: Tensor): Tensor {
  const [batch = 1, channels = 1] = student.shape;
  const difference = sub(channelCorrelation(student), channelCorrelation(teacher));
  return mul(sumSquare(difference), 1 / (batch * channels));
}

/** The student's map at the teacher's channels: a 1×1 convolution and BatchNorm, as in the authors' code. */
function embedded(layers: Layers, name: string, map: Tensor, channels: number): Tensor {
  return layers.batchNorm(`${name}.1`, layers.conv(`${name}.0`, map, channels, { kernel: 1 }));
}

/** By default of the last maps alone. Defaults are the authors' for CIFAR-100 (ADLab-AutoDrive/ICKD). */
export const ickd: Distiller<IckdOptions> = {
  title: 'Correlations of channels: β · Σ (G_s − G_t)² / (N · C), G = F Fᵀ of an image (Liu et al. 2021, ICCV)',
  options: {
    weight: { type: 'number', minimum: 0, default: 2.5, title: 'β, weight of this loss' },
    ...layerOptions,
  },
  needsTeacher: true,
  losses: (context) => {
    const { layers, options } = context;
    const losses = layerPairs(context, '', 1).map(([student, teacher], i) =>
      channelCorrelationLoss(embedded(layers, `${i}.embed`, student, teacher.shape[1]!), teacher),
    );
    return { ickd: mul(losses.reduce(add), options.weight) };
  },
};
