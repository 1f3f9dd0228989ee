/** Masked generation (Yang et al. 2022, ECCV, "Masked generative distillation"). */
import { add, mul, relu, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, sizeOf } from '../../../formats/ndarray';
import { Random } from '../../../utils/random';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, sameSize, type LayerOptions } from '../pairs';

interface MgdOptions extends LayerOptions {
  readonly weight: number;
  readonly mask_ratio: number;
  readonly masks: 'channels' | 'places';
}

/** 0 with probability `ratio`, 1 otherwise, drawn anew at every step. */
function mask(layers: Layers, name: string, shape: readonly number[], ratio: number): Tensor {
  const full = `${layers.options.prefix ?? ''}${name}`;
  return layers.graph.hostInput(full, 'float32', shape, ({ seed, step }) => {
    const data = new Float32Array(sizeOf(shape));
    new Random(seed, full).fillUniform(data, 0, 1, step);
    return ndarray(
      'float32',
      shape,
      data.map((u) => (u < ratio ? 0 : 1)),
    );
  });
}

/** α · Σ (g − f_t)² / N: what the student's map leaves after masking must do to generate the teacher's. */
function generationLoss(
  layers: Layers,
  name: string,
  [student, teacher]: readonly [Tensor, Tensor],
  options: MgdOptions,
) {
  const [batch = 1, channels = 1, height = 1, width = 1] = teacher.shape;
  const conv = (place: string, x: Tensor, kernel: 1 | 3) =>
    layers.conv(`${name}.${place}`, x, channels, { kernel, padding: (kernel - 1) / 2, bias: true });
  const aligned = student.shape[1] === channels ? student : conv('align', student, 1);
  const shape = options.masks === 'channels' ? [batch, channels, 1, 1] : [batch, 1, height, width];
  const masked = mul(aligned, mask(layers, `${name}.mask`, shape, options.mask_ratio));
  const generated = conv('generation.2', relu(conv('generation.0', masked, 3)), 3);
  return mul(sumSquare(sub(generated, teacher)), options.weight / batch);
}

/**
 * g = conv 3×3(ReLU(conv 3×3(M ⊙ f_s))), f_s brought to the teacher's channels by a 1×1 convolution where they differ; M masks
 * whole channels, or places, as for detection. By default of the last maps alone. Defaults are the authors' for ImageNet
 * (yzd-v/MGD); for CIFAR-100 they have α = 0.0012 (yzd-v/cls_KD).
 */
export const mgd: Distiller<MgdOptions> = {
  title: "The teacher's map generated from the student's, masked: α · Σ (g − f_t)² / N (Yang et al. 2022, ECCV)",
  options: {
    weight: { type: 'number', minimum: 0, default: 7e-5, title: 'α, weight of this loss' },
    mask_ratio: { type: 'number', minimum: 0, exclusiveMaximum: 1, default: 0.15, title: 'masked fraction' },
    masks: { enum: ['channels', 'places'], default: 'channels', title: 'what to mask' },
    ...layerOptions,
  },
  needsTeacher: true,
  losses: (context) => {
    const losses = layerPairs(context, '', 1).map((pair, i) =>
      generationLoss(context.layers, `${i}`, sameSize(pair), context.options),
    );
    return { mgd: losses.reduce(add) };
  },
};
