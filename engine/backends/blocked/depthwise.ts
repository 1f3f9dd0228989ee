/**
 * Depthwise convolutions that the blocked layout does not have as they are: of channels that do not fill their blocks, as the 40 of
 * ConvNeXt-atto, and transposed ones. In the plain layout ONNX Runtime takes them channel by channel, ten times slower than 16
 * channels at once; that is worth the way into the blocked layout and back for one operator.
 */
import { sizeOf } from '../../../formats/ndarray';
import type { Node } from '../../graph';
import { emitConcat, emitReshape } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import type { LayoutMap } from './layout_map';
import { blockedConv, canBeFilled, fromBlocks, toBlocks, type BlockedGeometry } from './operators';
import { canBePhased, cut, planOf } from './transposed_convolution';

/** Whether a node is a depthwise convolution whose channels do not fill their blocks. */
export function isRaggedDepthwise(node: Node, block: number): boolean {
  return node.opType === 'Conv' && isDepthwise(node) && node.outputs[0]!.shape[1]! % block > 0;
}

/** The result of such a node, in the layout of the source. */
export function raggedDepthwise({ inputs, outputs, attributes }: Node, layouts: LayoutMap): Tensor {
  const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor | undefined];
  const [batch = 0, channels = 0, height = 0, width = 0] = outputs[0]!.shape;
  const kernel = kernelOf(layouts.plain(weight), weight.shape.slice(2), layouts.block);
  const all = kernel.shape[0]!;
  const offset = bias && emitReshape(toBlocks(layouts.plain(bias), [1, channels, 1], layouts.block), [all]);
  const geometry = { ...(attributes as Partial<BlockedGeometry>), group: all };
  const operands = [layouts.filledMap(x), kernel, ...(offset ? [offset] : [])] as const;
  const form = blockedConv(operands, [batch, all, height, width], geometry);
  return withoutZeros(form, outputs[0]!.shape, layouts.block);
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
    const map = blockedConv([source, kernel], [batch, channels, down.count, across.count], {
      pads: [top, left, bottom, right],
      group: channels,
    });
    return emitReshape(map, shape);
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
export function withoutZeros(form: Tensor, shape: readonly number[], block: number): Tensor {
  const [batch = 0, channels = 0, ...space] = shape;
  return emitReshape(fromBlocks(form, [batch, channels, sizeOf(space)], block), shape);
}

function isDepthwise({ inputs, outputs, attributes }: Node): boolean {
  const [x] = inputs;
  const channels = x!.shape[1]!;
  const { group } = attributes;
  return x!.shape.length === 4 && group === channels && outputs[0]!.shape[1] === channels && canBeFilled(channels);
}

/** A kernel (C, 1, R, T) or (C, R · T), as the blocked convolution reads it: (C', 1, R, T). */
function kernelOf(weight: Tensor, [rows, columns]: readonly number[], block: number): Tensor {
  const form = toBlocks(weight, [1, weight.shape[0]!, rows! * columns!], block);
  return emitReshape(form, [form.shape[1]!, 1, rows!, columns!]);
}
