/**
 * Two-dimensional convolution (cross-correlation, as in PyTorch) and the gradient to its input.
 *
 *   y[n,k,i,j]  = Σ x[n, c, i·s + r·d − p, j·s + t·d − p] · w[k,c,r,t]
 *   ∂x          = y's gradient convolved with the flipped kernel, channels exchanged (stride 1), or transposed convolution
 *   ∂w          = see conv_weight.ts
 */
import { formatShape, type Tensor } from '../tensor';
import { noteFlippedKernel, noteWeightGradient, type Geometry, type Pair } from './conv_hints';
import { weightGradient } from './conv_weight';
import { channelSum } from './reduce';
import { emitReshape, emitTranspose } from './shape';

/** Options of `conv2d`, in pixels; one number stands for rows and columns. */
export interface ConvOptions {
  /** Distance between windows; 1 by default. */
  readonly stride?: number | Pair;
  /** Zeros on each side of the map; 0 by default. */
  readonly padding?: number | Pair;
  /** Distance between the taps of the kernel; 1 by default. */
  readonly dilation?: number | Pair;
  /** Groups of channels that are convolved apart; 1 by default, C for a depthwise convolution. */
  readonly groups?: number;
}

/**
 * Convolution as PyTorch's Conv2d: x (N, C, H, W), weight (K, C / groups, R, T), bias (K) → (N, K, H', W') with
 *   H' = ⌊(H + 2 p − d (R − 1) − 1) / s⌋ + 1,   W' likewise.
 * Throws if channels, groups or kernel do not fit, or if an option is not an integer in its range.
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  const { graph } = x;
  const geometry = geometryOf(x, weight, options);
  const [features = 0] = weight.shape;
  const out = [0, 1].map((i) => outputLength(x.shape[2 + i]!, geometry, i as 0 | 1));
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const y = graph.emit('Conv', inputs, [x.shape[0]!, features, ...out], { attributes: attributesOf(geometry) });
  return graph.vjp(y, inputs, (grad, needs) => [
    needs[0] ? inputGradient(x, weight, grad, geometry) : undefined,
    needs[1] ? gradientToWeight(x, grad, weight.shape, geometry) : undefined,
    needs[2] ? overPlaces(grad) : undefined,
  ]);
}

/** Options of `convTranspose2d`, in pixels. */
export interface ConvTransposeOptions extends ConvOptions {
  /** Rows and columns more at the lower right. */
  readonly outputPadding?: number | Pair;
}

/**
 * Transposed convolution: the gradient of a convolution with these options to its input, as an operator.
 * x (N, C, H, W), weight (C, K / groups, R, T), bias (K) → (N, K, (H − 1) s − 2 p + d (R − 1) + 1 + output padding, …).
 */
export function convTranspose2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvTransposeOptions = {}): Tensor {
  const { graph } = x;
  const { outputPadding = 0, groups = 1 } = options;
  const rest = typeof outputPadding === 'number' ? ([outputPadding, outputPadding] as const) : outputPadding;
  const [batch = 0, channels = 0, ...size] = x.shape;
  const features = weight.shape[1]! * groups;
  if (x.shape.length !== 4 || channels !== weight.shape[0] || channels % groups !== 0) {
    throw new Error(
      `convTranspose2d: input ${formatShape(x.shape)} does not fit weight ${formatShape(weight.shape)} in ${groups} group(s)`,
    );
  }
  const { kernel, stride, padding, dilation } = pairsOf(weight, options);
  const out = size.map(
    (length, i) => (length - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (kernel[i]! - 1) + 1 + rest[i]!,
  );
  const geometry: Geometry = { kernel, stride, padding, dilation, groups };
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const y = graph.emit('ConvTranspose', inputs, [batch, features, ...out], {
    attributes: { ...attributesOf(geometry), output_padding: rest },
  });
  return graph.vjp(y, inputs, (grad, needs) => [
    needs[0] ? graph.emit('Conv', [grad, weight], x.shape, { attributes: attributesOf(geometry) }) : undefined,
    needs[1] ? gradientToWeight(grad, x, weight.shape, geometry) : undefined,
    needs[2] ? overPlaces(grad) : undefined,
  ]);
}

/** Per-channel sums: the gradient to a bias. */
function overPlaces(grad: Tensor): Tensor {
  return channelSum(grad);
}

function gradientToWeight(x: Tensor, grad: Tensor, shape: readonly number[], geometry: Geometry): Tensor {
  const gradient = weightGradient(x, grad, shape, geometry);
  noteWeightGradient(gradient, { x, grad, geometry });
  return gradient;
}

function inputGradient(x: Tensor, weight: Tensor, grad: Tensor, geometry: Geometry): Tensor {
  const { graph } = x;
  const { kernel, stride, padding, dilation, groups } = geometry;
  const reach = [0, 1].map((i) => dilation[i]! * (kernel[i]! - 1) - padding[i]!);
  if (stride[0] === 1 && stride[1] === 1 && reach.every((length) => length >= 0)) {
    return graph.emit('Conv', [grad, flipped(weight, groups)], x.shape, {
      attributes: { ...attributesOf(geometry), pads: [...reach, ...reach] },
    });
  }
  const rest = [0, 1].map((i) => {
    const covered = (grad.shape[2 + i]! - 1) * stride[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - 2 * padding[i]!;
    return x.shape[2 + i]! - covered;
  });
  return graph.emit('ConvTranspose', [grad, weight], x.shape, {
    attributes: { ...attributesOf(geometry), output_padding: rest },
  });
}

/** w[k,c,r,t] → w[c,k,R−1−r,T−1−t], group by group: the taps are reversed by a Gather on the flattened kernel. */
function flipped(weight: Tensor, groups: number): Tensor {
  const { graph } = weight;
  const [features = 0, channels = 0, rows = 0, cols = 0] = weight.shape;
  const taps = rows * cols;
  const [outer, inner] = [features / groups, channels];
  let kernel = emitReshape(weight, [groups, outer, inner, taps]);
  if (taps > 1) {
    const order = graph.integers(Array.from({ length: taps }, (_, tap) => taps - 1 - tap));
    kernel = graph.emit('Gather', [kernel, order], kernel.shape, { attributes: { axis: 3 } });
  }
  const turned = emitReshape(emitTranspose(kernel, [0, 2, 1, 3]), [groups * inner, outer, rows, cols]);
  if (groups === 1) noteFlippedKernel(turned, weight);
  return turned;
}

/** Of an operator that takes a kernel. */
function pairsOf(weight: Tensor, options: ConvOptions): Omit<Geometry, 'groups'> {
  const pair = (name: string, value: number | Pair, least: number): Pair => {
    const both = typeof value === 'number' ? ([value, value] as const) : value;
    if (!both.every((n) => Number.isInteger(n) && n >= least)) {
      throw new Error(`conv2d: ${name} must be an integer from ${least}, got ${both.join(', ')}`);
    }
    return both;
  };
  return {
    kernel: [weight.shape[2]!, weight.shape[3]!],
    stride: pair('stride', options.stride ?? 1, 1),
    padding: pair('padding', options.padding ?? 0, 0),
    dilation: pair('dilation', options.dilation ?? 1, 1),
  };
}

function geometryOf(x: Tensor, weight: Tensor, options: ConvOptions): Geometry {
  const { groups = 1 } = options;
  const geometry = { ...pairsOf(weight, options), groups };
  if (x.shape.length !== 4 || x.shape[1] !== weight.shape[1]! * groups || weight.shape[0]! % groups !== 0) {
    throw new Error(
      `conv2d: input ${formatShape(x.shape)} does not fit weight ${formatShape(weight.shape)} in ${groups} group(s)`,
    );
  }
  if (outputLength(x.shape[2]!, geometry, 0) < 1 || outputLength(x.shape[3]!, geometry, 1) < 1) {
    throw new Error(`conv2d: kernel ${formatShape(geometry.kernel)} does not fit input ${formatShape(x.shape)}`);
  }
  return geometry;
}

function outputLength(length: number, { kernel, stride, padding, dilation }: Geometry, axis: 0 | 1): number {
  return Math.floor((length + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1;
}

function attributesOf({ kernel, stride, padding, dilation, groups }: Geometry) {
  return {
    kernel_shape: kernel,
    strides: stride,
    pads: [...padding, ...padding],
    dilations: dilation,
    group: groups,
  };
}
