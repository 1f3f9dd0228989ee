/**
 * ONNX Runtime's operators on blocked tensors, and the ways into their layout and out of it. A map (N, C, H, W) in blocks keeps that
 * shape by name, with C filled up to whole blocks: its numbers lie as (N, C / b, H, W, b).
 */
import { emitReshape } from '../../ops/shape';
import type { Tensor } from '../../tensor';

/** The domain of these operators. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

type Triple = readonly [number, number, number];

/** How a blocked convolution moves; one by one and without padding if nothing else is said. */
export interface BlockedGeometry {
  readonly strides?: readonly number[];
  /** Zeros at the top, left, bottom and right. */
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  /** Groups of channels that are convolved apart. */
  readonly group: number;
  /** What is done to a result before it is written, after the term has been added. */
  readonly activation?: 'Relu';
}

/** A convolution of blocked maps: inputs (x, weight, bias, term), all but the first two optional, → the blocked map of `shape`. */
export function blockedConv(
  inputs: readonly [Tensor, Tensor, ...(Tensor | undefined)[]],
  shape: readonly number[],
  geometry: BlockedGeometry,
): Tensor {
  const attributes = {
    kernel_shape: inputs[1].shape.slice(2),
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    ...geometry,
  };
  return inputs[0].graph.emit('Conv', inputs, shape, { domain: BLOCKED_DOMAIN, attributes });
}

/** Whether there is a way into blocks for so many channels. */
export function canBeFilled(channels: number): boolean {
  return channels % 4 === 0;
}

/** (N, C, P) in blocks, as (N, C', 1, P), where `canBeFilled` holds for C: zeros fill the last block. */
export function toBlocks(x: Tensor, [batch, channels, pixels]: Triple, block: number): Tensor {
  const map = emitReshape(x, [batch, channels, 1, pixels]);
  if (pixels === 1 && channels % block === 0) return map;
  return reorderedInput(map, [batch, channels, pixels], block, 0);
}

/** (N, P, C) in blocks, as (N, C', 1, P). */
export function toBlocksFromLast(x: Tensor, [batch, pixels, channels]: Triple, block: number): Tensor {
  return reorderedInput(emitReshape(x, [batch, 1, pixels, channels]), [batch, channels, pixels], block, 1);
}

function reorderedInput(x: Tensor, [batch, channels, pixels]: Triple, block: number, channelsLast: 0 | 1): Tensor {
  const shape = [batch, Math.ceil(channels / block) * block, 1, pixels];
  const options = { domain: BLOCKED_DOMAIN, attributes: { channels_last: channelsLast } };
  return x.graph.emit('ReorderInput', [x], shape, options);
}

/** The first C channels of a tensor in blocks of N · P pixels, as (N, C, 1, P). */
export function fromBlocks(form: Tensor, [batch, channels, pixels]: Triple, block: number): Tensor {
  return reorderedOutput(form, [batch, channels, pixels], block, [batch, channels, 1, pixels], 0);
}

/** The same as (N, 1, P, C). */
export function fromBlocksToLast(form: Tensor, [batch, pixels, channels]: Triple, block: number): Tensor {
  return reorderedOutput(form, [batch, channels, pixels], block, [batch, 1, pixels, channels], 1);
}

function reorderedOutput(
  form: Tensor,
  [batch, channels, pixels]: Triple,
  block: number,
  shape: readonly number[],
  channelsLast: 0 | 1,
): Tensor {
  const map = emitReshape(form, [batch, Math.ceil(channels / block) * block, 1, pixels]);
  const options = { domain: BLOCKED_DOMAIN, attributes: { channels, channels_last: channelsLast } };
  return form.graph.emit('ReorderOutput', [map], shape, options);
}
