/** A network of one's own: convolutions of growing width, each followed by BatchNorm, ReLU and a pool. */
import { globalAvgPool, maxPool, relu, type NetModule } from 'distillery';

interface Options {
  readonly widths: readonly number[];
}

const myNet: NetModule<Options> = {
  title: 'Convolutions of growing width',
  options: { widths: { type: 'array', items: { type: 'integer', minimum: 1 }, minItems: 1, default: [16, 32, 64] } },
  recipe: { optimizer: 'adam', weight_decay: 0, schedule: { type: 'cosine' } },
  build: (layers, images, { classes, options }) => {
    const features: Record<string, typeof images> = {};
    let y = images;
    for (const [i, width] of options.widths.entries()) {
      y = layers.conv(`conv${i + 1}`, y, width, { kernel: 3, padding: 1 });
      y = relu(layers.batchNorm(`bn${i + 1}`, y));
      features[`stage${i + 1}`] = y;
      if (i < options.widths.length - 1) y = maxPool(y, { kernel: 2 });
    }
    const pooled = globalAvgPool(y);
    return { logits: layers.linear('fc', pooled, classes), pooled, features };
  },
};

export default myNet;
