/**
 * Layout propagation: operators that run on blocked forms as they are, or nearly so. They are element-wise, leave channels
 * alone, or handle whole blocks of them.
 */
import { sizeOf } from '../../../formats/ndarray';
import type { Node } from '../../graph';
import type { Replacement, Rewriter } from '../../onnx/rewrite';
import { emitReshape, emitTranspose } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import type { LayoutMap } from './layout_map';
import { BLOCKED_DOMAIN } from './operators';

/** What replaces the result of a node with blocked inputs; undefined if the node needs them in the layout of the source. */
type LayoutRule = (node: Node, layouts: LayoutMap, rewriter: Rewriter) => Replacement | undefined;

const BY_ELEMENT =
  'Abs Add And Cast Clip Div Equal Exp Greater HardSigmoid Identity LeakyRelu Less Log Max Min Mul Neg Not Or Relu Sigmoid Sign ' +
  'Softplus Sqrt Sub Tanh Where';

const REDUCTIONS = 'ReduceMax ReduceMean ReduceSum';

const rules: Readonly<Record<string, LayoutRule>> = {
  ...each(BY_ELEMENT, byElement),
  ...each(REDUCTIONS, reduction),
  ...each('AveragePool MaxPool', pooling),
  Concat: concatenation,
  Expand: expansion,
  Gather: gathering,
  Pad: padding,
  Reshape: reshaping,
  Slice: slicing,
  Transpose: transposition,
};

function each(opTypes: string, rule: LayoutRule): Record<string, LayoutRule> {
  return Object.fromEntries(opTypes.split(' ').map((opType) => [opType, rule]));
}

/** What replaces the result of a node with a blocked input; undefined for a node that needs its inputs in the layout of the source. */
export function propagateLayout(node: Node, layouts: LayoutMap, rewriter: Rewriter): Replacement | undefined {
  const isBlocked = node.inputs.some((input) => input && layouts.has(input));
  return isBlocked && node.domain === '' ? rules[node.opType]?.(node, layouts, rewriter) : undefined;
}

function byElement({ opType, inputs, outputs, attributes }: Node, layouts: LayoutMap): Replacement | undefined {
  const [output] = outputs as [Tensor];
  const operands = inputs.filter((input) => input !== undefined);
  if (operands.length < inputs.length || !operands.every((input) => layouts.fits(input, output.shape)))
    return undefined;
  const options = { dtype: output.dtype, attributes };
  // Without a change of shape the maps will do, which the operators before and after are likely to have.
  if (output.shape.length === 4 && operands.every((input) => isOfShape(input, output.shape) || isScalar(input))) {
    const maps = operands.map((input) => (isScalar(input) ? layouts.blocked(input) : layouts.blockedMap(input)));
    return layouts.keep(output, layouts.formOfMap(maps[0]!.graph.emit(opType, maps, output.shape, options)));
  }
  const forms = operands.map((input) => layouts.blocked(input));
  return layouts.keep(output, forms[0]!.graph.emit(opType, forms, layouts.formOf(output.shape), options));
}

function isScalar(tensor: Tensor): boolean {
  return sizeOf(tensor.shape) === 1;
}

function isOfShape(tensor: Tensor, shape: readonly number[]): boolean {
  return tensor.shape.length === shape.length && tensor.shape.every((length, axis) => length === shape[axis]);
}

/** Over the map first, then over images, as ONNX Runtime has fast kernels for each of these but not for both at once. */
function reduction(
  { opType, inputs, outputs, attributes }: Node,
  layouts: LayoutMap,
  rewriter: Rewriter,
): Replacement | undefined {
  const [x, axesInput] = inputs as [Tensor, Tensor];
  const [output] = outputs as [Tensor];
  const axes = rewriter.integers(axesInput);
  if (!axes || axes.includes(1)) return undefined;
  const isOverMap = x.shape.every((_, axis) => axis < 2 || axes.includes(axis));
  const form = layouts.blocked(x);
  const { graph } = form;
  if (attributes.keepdims === 1) {
    if (axes.includes(0)) return undefined;
    const kept = form.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    return layouts.keep(output, graph.emit(opType, [form, graph.integers(axes)], kept, { attributes }));
  }
  if (!isOverMap) return undefined;
  const [batch = 0, channels = 0, ...space] = x.shape;
  const [blocks, block] = [channels / layouts.block, layouts.block];
  const flat = layouts.view(x, [batch, blocks, sizeOf(space), block]);
  const ofMaps = graph.emit(opType, [flat, graph.integers([2])], [batch, blocks, block], { attributes });
  if (!axes.includes(0)) return emitReshape(ofMaps, output.shape);
  const columns = emitReshape(ofMaps, [batch, channels]);
  return graph.emit(opType, [columns, graph.integers([0])], output.shape, { attributes });
}

function pooling({ opType, inputs, outputs, attributes }: Node, layouts: LayoutMap): Replacement {
  const [x] = inputs as [Tensor];
  const [output] = outputs as [Tensor];
  const map = layouts.blockedMap(x);
  const pooled = map.graph.emit(opType, [map], output.shape, { domain: BLOCKED_DOMAIN, attributes });
  return layouts.keep(output, layouts.formOfMap(pooled));
}

function concatenation({ inputs, outputs, attributes }: Node, layouts: LayoutMap): Replacement | undefined {
  const [output] = outputs as [Tensor];
  const parts = inputs as readonly Tensor[];
  const whole = (part: Tensor) => part.shape[1]! % layouts.block === 0 && layouts.fits(part, part.shape);
  if (!parts.every(whole)) return undefined;
  const forms = parts.map((part) => layouts.blocked(part));
  return layouts.keep(output, forms[0]!.graph.emit('Concat', forms, layouts.formOf(output.shape), { attributes }));
}

function expansion({ inputs, outputs }: Node, layouts: LayoutMap): Replacement | undefined {
  const [x] = inputs as [Tensor];
  const [output] = outputs as [Tensor];
  if (x.shape.length !== output.shape.length || x.shape[1] !== output.shape[1]) return undefined;
  const form = layouts.blocked(x);
  const shape = layouts.formOf(output.shape);
  return layouts.keep(output, form.graph.emit('Expand', [form, form.graph.integers(shape)], shape));
}

function gathering({ inputs, outputs, attributes }: Node, layouts: LayoutMap): Replacement | undefined {
  const [x, indices] = inputs as [Tensor, Tensor];
  const [output] = outputs as [Tensor];
  if (!layouts.has(x) || Number(attributes.axis) < 2) return undefined;
  const form = layouts.blocked(x);
  const picked = [form, layouts.plain(indices)];
  return layouts.keep(output, form.graph.emit('Gather', picked, layouts.formOf(output.shape), { attributes }));
}

function padding(
  { inputs, outputs, attributes }: Node,
  layouts: LayoutMap,
  rewriter: Rewriter,
): Replacement | undefined {
  const [x, padsInput, value] = inputs as [Tensor, Tensor, Tensor | undefined];
  const [output] = outputs as [Tensor];
  const pads = rewriter.integers(padsInput);
  const rank = x.shape.length;
  if (!pads || inputs.length > 3 || pads[1] !== 0 || pads[rank + 1] !== 0) return undefined;
  const form = layouts.blocked(x);
  const { graph } = form;
  const all = graph.integers([...pads.slice(0, rank), 0, ...pads.slice(rank), 0]);
  const operands = value ? [form, all, layouts.plain(value)] : [form, all];
  return layouts.keep(output, graph.emit('Pad', operands, layouts.formOf(output.shape), { attributes }));
}

function reshaping({ inputs, outputs }: Node, layouts: LayoutMap): Replacement | undefined {
  const [x] = inputs as [Tensor];
  const [output] = outputs as [Tensor];
  if (output.shape.length < 2 || x.shape[0] !== output.shape[0] || x.shape[1] !== output.shape[1]) return undefined;
  return layouts.keep(output, emitReshape(layouts.blocked(x), layouts.formOf(output.shape)));
}

function slicing({ inputs, outputs }: Node, layouts: LayoutMap, rewriter: Rewriter): Replacement | undefined {
  const [x, ...rest] = inputs as Tensor[];
  const [output] = outputs as [Tensor];
  const numbers = rest.map((input) => rewriter.integers(input));
  if (numbers.length !== 4 || !numbers.every((list) => list?.length === 1)) return undefined;
  const [start, stop, axis, step] = numbers.map((list) => list![0]!) as [number, number, number, number];
  const { block } = layouts;
  if (axis === 1 && (step !== 1 || start % block !== 0 || stop % block !== 0)) return undefined;
  const isToEnd = Math.ceil(stop / step) === Math.ceil(x!.shape[axis]! / step);
  if (axis > 1 && step > 1 && start === 0 && isToEnd && x!.dtype === 'float32' && x!.shape.length === 4) {
    return layouts.keep(output, layouts.formOfMap(strided(layouts.blockedMap(x!), output.shape, axis, step)));
  }
  const form = layouts.blocked(x!);
  const { graph } = form;
  const unit = axis === 1 ? block : 1;
  const operands = [form, ...[start / unit, stop / unit, axis, step].map((number) => graph.integers([number]))];
  return layouts.keep(output, graph.emit('Slice', operands, layouts.formOf(output.shape)));
}

/** Every `step`-th row (axis 2) or column (axis 3): means over windows of one pixel, for which there is a faster kernel. */
function strided(map: Tensor, shape: readonly number[], axis: number, step: number): Tensor {
  const attributes = {
    kernel_shape: [1, 1],
    strides: axis === 2 ? [step, 1] : [1, step],
    pads: [0, 0, 0, 0],
    count_include_pad: 1,
  };
  return map.graph.emit('AveragePool', [map], shape, { domain: BLOCKED_DOMAIN, attributes });
}

/** Of axes other than channels; or to channels last, which moves whole blocks. */
function transposition({ inputs, outputs, attributes }: Node, layouts: LayoutMap): Replacement | undefined {
  const [x] = inputs as [Tensor];
  const [output] = outputs as [Tensor];
  const order = attributes.perm as readonly number[];
  const rank = order.length;
  if (order[0] === 0 && order[1] === 1)
    return layouts.keep(output, emitTranspose(layouts.blocked(x), [...order, rank]));
  const isToLast = order.every((axis, i) => axis === (i === 0 ? 0 : i === rank - 1 ? 1 : i + 1));
  if (!isToLast) return undefined;
  const spaces = order.slice(1, -1);
  return emitReshape(emitTranspose(layouts.blocked(x), [0, ...spaces, 1, rank]), output.shape);
}
