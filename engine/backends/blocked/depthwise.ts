/**
 * Depthwise convolutions that the blocked layout does not have as they are: of channels that do not fill their blocks, as the 40 of
 * ConvNeXt-atto, and transposed ones. In the plain layout ONNX Runtime takes them channel by channel, ten times slower than 16
 * channels at once; that is worth the way into the blocked layout and back for one operator.
 */
import { sizeOf } from '../../../formats/ndarray';
import type { Attribute, Node } from '../../graph';
import { emitConcat, emitReshape } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import { BLOCKED_DOMAIN, canBeFilled, filled, unfilled, type LayoutMap } from './layout_map';
import { canBePhased, cut, planOf } from './transposed_convolution';

/** Whether a node is a depthwise convolution whose channels do not fill their blocks. */
export function isRaggedDepthwise(node: Node, block: number): boolean {
  return node.opType === 'Conv' && isDepthwise(node) && node.outputs[0]!.shape[1]! % block > 0;
}

/** The result of such a node, in the layout of the source. */
export function raggedDepthwise({ inputs, outputs, attributes }: Node, layouts: LayoutMap): Tensor {
  const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor | undefined];
  const [, channels = 0, height = 0, width = 0] = outputs[0]!.shape;
  const kernel = kernelOf(layouts.plain(weight), weight.shape.slice(2), layouts.block);
  const offset = bias && emitReshape(filled(layouts.plain(bias), [1, channels, 1], layouts.block), [kernel.shape[0]!]);
  return withoutZeros(convolved(layouts.filledMap(x), kernel, offset, [height, width], attributes), outputs[0]!.shape);
}

/** Whether a node is a transposed depthwise convolution that can be made of ordinary ones. */
export function isTransposedDepthwise(node: Node): boolean {
  return canBePhased(node) && isDepthwise(node);
}

/** The blocked form of the result of such a node, with channels of zeros to whole blocks: one convolution for each phase. */
export function transposedDepthwise(node: Node, layouts: LayoutMap): Tensor {
  const [x, weight] = node.inputs as [Tensor, Tensor];
  const [, , height = 0, width = 0] = node.outputs[0]!.shape;
  const [down, across] = [planOf(node, 0), planOf(node, 1)];
  const source = layouts.filledMap(x);
  const { graph } = source;
  const [batch = 0, channels = 0] = source.shape;
  const { block } = layouts;
  const flat = emitReshape(layouts.plain(weight), [weight.shape[0]!, sizeOf(weight.shape.slice(2))]);

  const places = batch * (channels / block) * down.count;

  const phase = (u: number, v: number): Tensor => {
    const shape = [places, across.count, 1, block];
    const [rows, columns] = [down.readings[u]!.taps, across.readings[v]!.taps];
    if (rows.length * columns.length === 0) {
      return graph.emit('Expand', [graph.scalar(0), graph.integers(shape)], shape);
    }
    const taps = graph.integers(rows.flatMap((r) => columns.map((t) => r! * weight.shape[3]! + t!)));
    const chosen = graph.emit('Gather', [flat, taps], [flat.shape[0]!, taps.shape[0]!], { attributes: { axis: 1 } });
    const kernel = kernelOf(chosen, [rows.length, columns.length], block);
    const [top, bottom] = down.margins[u]!;
    const [left, right] = across.margins[v]!;
    const pads = [top, left, bottom, right];
    return emitReshape(convolved(source, kernel, undefined, [down.count, across.count], { pads }), shape);
  };
  const wide = across.count * across.stride;
  const rows = down.readings.map((_, u) => {
    const columns = across.readings.map((__, v) => phase(u, v));
    return emitReshape(emitConcat(columns, 2), [places, 1, wide * block]);
  });
  const all = emitReshape(emitConcat(rows, 1), [batch, channels / block, down.count * down.stride, wide, block]);
  return cut(all, height, width);
}

/** A blocked form with channels of zeros, without these and in the layout of the source. */
export function withoutZeros(form: Tensor, shape: readonly number[]): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = shape;
  const pixels = height * width;
  const all = sizeOf(form.shape) / (batch * pixels);
  return emitReshape(unfilled(emitReshape(form, [batch, all, 1, pixels]), [batch, channels, pixels]), shape);
}

function isDepthwise({ inputs, outputs, attributes }: Node): boolean {
  const [x] = inputs;
  const channels = x!.shape[1]!;
  const { group } = attributes;
  return x!.shape.length === 4 && group === channels && outputs[0]!.shape[1] === channels && canBeFilled(channels);
}

/** A kernel (C, 1, R, T) or (C, R · T), as the blocked convolution reads it: (C', 1, R, T). */
function kernelOf(weight: Tensor, [rows, columns]: readonly number[], block: number): Tensor {
  const form = filled(weight, [1, weight.shape[0]!, rows! * columns!], block);
  return emitReshape(form, [form.shape[1]!, 1, rows!, columns!]);
}

function convolved(
  map: Tensor,
  kernel: Tensor,
  bias: Tensor | undefined,
  space: readonly number[],
  attributes: Readonly<Record<string, Attribute>>,
): Tensor {
  const [batch = 0, channels = 0] = map.shape;
  return map.graph.emit('Conv', bias ? [map, kernel, bias] : [map, kernel], [batch, channels, ...space], {
    domain: BLOCKED_DOMAIN,
    attributes: {
      kernel_shape: kernel.shape.slice(2),
      strides: [1, 1],
      dilations: [1, 1],
      ...attributes,
      group: channels,
    },
  });
}
