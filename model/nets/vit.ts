/**
 * Vision transformers, named as in timm: patches as tokens, twelve blocks of attention and perceptron, each after a LayerNorm.
 *   vit  – Dosovitskiy et al. 2021, "An image is worth 16x16 words"; the classifier sees a class token or the mean
 *   deit – Touvron et al. 2021, "Training data-efficient image transformers & distillation through attention": a second token
 *          with a classifier of its own, which a teacher teaches. `logits` is the mean of both classifiers, `pooled` joins
 *          the vectors that they see.
 * Patches are 16×16, and 4×4 on images of up to 64×64. Features: `stage1` … `stage4`, the patch tokens after every third block
 * as maps (N, C, H, W); no activation follows, so `.preact` is the same.
 */
import { constant, normal } from '../../engine/initializers';
import { add, concat, detach, gelu, matmul, mean, mul, reshape, slice, softmax, transpose } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import type { Layers } from './layers';
import type { Net } from './net';
import { keepFeature, type Features } from './residual';
import { bySize } from './stem';

const BLOCKS = 12;
const BLOCKS_PER_STAGE = 3;
/** Channels of a head of attention. */
const HEAD = 64;
const EPS = 1e-6;

const linearInit = { weight: normal(0.02), bias: constant(0) };

/** Of `width` channels: 192 for tiny, 384 for small. */
export function vit(width: number): Net {
  return (layers, x, { classes, patchSize, pooling = 'token', dropoutRate, dropPathRate = 0 }) => {
    const embedded = embed(layers, x, width, { patchSize, prefixes: ['cls_token'] });
    const { tokens, features } = encode(layers, embedded, dropPathRate);
    const vector =
      pooling === 'token'
        ? token(layers.layerNorm('norm', tokens, EPS), 0)
        : layers.layerNorm('fc_norm', mean(slice(tokens, 1, 1, tokens.shape[1]!), { axes: [1] }), EPS);
    const pooled = layers.dropout('head_drop', vector, dropoutRate);
    return { logits: layers.linear('head', pooled, classes, linearInit), pooled, features };
  };
}

/** Of `width` channels, with a distillation token. */
export function deit(width: number): Net {
  return (layers, x, { classes, patchSize, dropoutRate, dropPathRate = 0 }) => {
    const embedded = embed(layers, x, width, { patchSize, prefixes: ['cls_token', 'dist_token'] });
    const { tokens, features } = encode(layers, embedded, dropPathRate);
    const normalized = layers.layerNorm('norm', tokens, EPS);
    const [own, taught] = [0, 1].map((i) => layers.dropout(`head_drop.${i}`, token(normalized, i), dropoutRate)) as [
      Tensor,
      Tensor,
    ];
    const classifiers = {
      logits_class: layers.linear('head', own, classes, linearInit),
      logits_distilled: layers.linear('head_dist', taught, classes, linearInit),
    };
    return {
      logits: mul(add(classifiers.logits_class, classifiers.logits_distilled), 0.5),
      pooled: concat([own, taught], 1),
      features,
      classifiers,
    };
  };
}

/** Tokens (N, L, C), the first `prefixes` of which are no patches, and the grid of the others. */
interface Embedded {
  readonly tokens: Tensor;
  readonly prefixes: number;
  readonly grid: readonly [rows: number, columns: number];
}

/** Patches of the images as tokens, behind trained ones, plus trained values for each place. */
function embed(
  layers: Layers,
  x: Tensor,
  width: number,
  { patchSize, prefixes }: { readonly patchSize: number | undefined; readonly prefixes: readonly string[] },
): Embedded {
  const patch = patchSize ?? bySize(x, { small: 4, usual: 16 });
  const [batch = 0, , height = 0, breadth = 0] = x.shape;
  if (height % patch !== 0 || breadth % patch !== 0) {
    throw new UserError(`"patch_size" must divide the ${height}x${breadth} pixels of the images, got ${patch}`);
  }
  const grid = [height / patch, breadth / patch] as const;
  const patches = grid[0] * grid[1];
  const trained = (name: string, length: number, std: number) =>
    layers.parameter(name, [1, length, width], normal(std));
  const [first, ...others] = prefixes;
  const classToken = trained(first!, 1, 1e-6);
  const places = trained('pos_embed', prefixes.length + patches, 0.02);
  const extra = [classToken, ...others.map((name) => trained(name, 1, 0.02))];
  const map = layers.conv('patch_embed.proj', x, width, { kernel: patch, stride: patch, bias: true });
  const rows = transpose(reshape(map, [batch, width, patches]), [0, 2, 1]);
  const all = concat([...extra.map((one) => forEachImage(one, rows)), rows], 1);
  return { tokens: add(all, places), prefixes: prefixes.length, grid };
}

/** A token (1, 1, C) for each image of the tokens x (N, L, C), for any N: (N, 1, C). */
function forEachImage(one: Tensor, x: Tensor): Tensor {
  return add(mul(detach(slice(x, 1, 0, 1)), 0), one);
}

function encode(layers: Layers, { tokens, prefixes, grid }: Embedded, dropPathRate: number) {
  const [batch = 0, length = 0, width = 0] = tokens.shape;
  const features: Features = {};
  let x = tokens;
  for (let i = 0; i < BLOCKS; i++) {
    x = block(layers, `blocks.${i}`, x, (dropPathRate * i) / (BLOCKS - 1));
    if ((i + 1) % BLOCKS_PER_STAGE > 0) continue;
    const patches = transpose(slice(x, 1, prefixes, length), [0, 2, 1]);
    const map = reshape(patches, [batch, width, ...grid]);
    keepFeature(features, `stage${(i + 1) / BLOCKS_PER_STAGE}`, map, map);
  }
  return { tokens: x, features };
}

/** x + attention(LN(x)), then x + perceptron(LN(x)). */
function block(layers: Layers, name: string, x: Tensor, dropRate: number): Tensor {
  const attended = attention(layers, `${name}.attn`, layers.layerNorm(`${name}.norm1`, x, EPS));
  const y = add(x, layers.dropPath(`${name}.drop_path1`, attended, dropRate));
  const hidden = layers.layerNorm(`${name}.norm2`, y, EPS);
  const wide = gelu(layers.linear(`${name}.mlp.fc1`, hidden, 4 * x.shape[2]!, linearInit));
  const narrow = layers.linear(`${name}.mlp.fc2`, wide, x.shape[2]!, linearInit);
  return add(y, layers.dropPath(`${name}.drop_path2`, narrow, dropRate));
}

/** softmax(Q Kᵀ / √d) V for each head (Vaswani et al. 2017): (N, L, C) → (N, L, C). */
function attention(layers: Layers, name: string, x: Tensor): Tensor {
  const [batch = 0, length = 0, width = 0] = x.shape;
  const joint = layers.linear(`${name}.qkv`, x, 3 * width, linearInit);
  const part = (i: number, order: readonly number[]) => {
    const own = slice(joint, 2, i * width, (i + 1) * width);
    return transpose(reshape(own, [batch, length, width / HEAD, HEAD]), order);
  };
  const query = mul(part(0, [0, 2, 1, 3]), 1 / Math.sqrt(HEAD));
  const weights = softmax(matmul(query, part(1, [0, 2, 3, 1])));
  const mixed = reshape(transpose(matmul(weights, part(2, [0, 2, 1, 3])), [0, 2, 1, 3]), [batch, length, width]);
  return layers.linear(`${name}.proj`, mixed, width, linearInit);
}

/** (N, L, C) → (N, C) */
function token(x: Tensor, place: number): Tensor {
  return reshape(slice(x, 1, place, place + 1), [x.shape[0]!, x.shape[2]!]);
}
