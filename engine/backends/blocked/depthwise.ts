/**
 * Depthwise convolutions of channels that do not fill their blocks, as the 40 of ConvNeXt-atto. In the plain layout ONNX Runtime
 * takes such a convolution channel by channel, ten times slower than 16 channels at once; that is worth the way into the blocked
 * layout and back for one operator.
 */
import type { Node } from '../../graph';
import { emitReshape } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import { BLOCKED_DOMAIN, canBeFilled, filled, unfilled, type LayoutMap } from './layout_map';

/** Whether a node is a depthwise convolution whose channels do not fill their blocks. */
export function isRaggedDepthwise({ opType, inputs, outputs, attributes }: Node, block: number): boolean {
  const [x] = inputs;
  if (opType !== 'Conv' || x?.shape.length !== 4) return false;
  const channels = x.shape[1]!;
  const isDepthwise = attributes.group === channels && outputs[0]!.shape[1] === channels;
  return isDepthwise && channels % block > 0 && canBeFilled(channels);
}

/** The result of such a node, in the layout of the source. */
export function raggedDepthwise({ inputs, outputs, attributes }: Node, layouts: LayoutMap): Tensor {
  const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor | undefined];
  const [batch = 0, channels = 0, height = 0, width = 0] = outputs[0]!.shape;
  const map = layouts.filledMap(x);
  const { graph } = map;
  const all = map.shape[1]!;
  const [, , rows = 0, columns = 0] = weight.shape;
  const kernels = filled(layouts.plain(weight), [1, channels, rows * columns], layouts.block);
  const operands = [map, emitReshape(kernels, [all, 1, rows, columns])];
  if (bias) operands.push(emitReshape(filled(layouts.plain(bias), [1, channels, 1], layouts.block), [all]));
  const y = graph.emit('Conv', operands, [batch, all, height, width], {
    domain: BLOCKED_DOMAIN,
    attributes: { ...attributes, group: all },
  });
  const pixels = height * width;
  const form = emitReshape(y, [batch, all, 1, pixels]);
  return emitReshape(unfilled(form, [batch, channels, pixels]), [batch, channels, height, width]);
}
