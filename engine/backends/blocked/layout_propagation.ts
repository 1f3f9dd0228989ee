/**
 * Operators that run on blocked forms as they are, or nearly so: those by element, and those that leave channels alone or
 * handle them by whole blocks.
 */
import type { Node } from '../../graph';
import type { Replacement, Rewriter } from '../../onnx/rewrite';
import { emitReshape, emitTranspose } from '../../ops/shape';
import { sizeOf } from '../../../formats/ndarray';
import type { Tensor } from '../../tensor';
import { BLOCKED_DOMAIN, type LayoutMap } from './layout_map';

/** What stands for the result of a node, or undefined where that wants its inputs as they were. */
type Follow = (node: Node, values: LayoutMap, rewriter: Rewriter) => Replacement | undefined;

const BY_ELEMENT =
  'Abs Add And Cast Clip Div Equal Exp Greater Identity LeakyRelu Less Log Max Min Mul Neg Not Or Relu Sigmoid Sign ' +
  'Softplus Sqrt Sub Tanh Where';

const REDUCTIONS = 'ReduceMax ReduceMean ReduceSum ReduceSumSquare';

const follows: Readonly<Record<string, Follow>> = {
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

function each(opTypes: string, follow: Follow): Record<string, Follow> {
  return Object.fromEntries(opTypes.split(' ').map((opType) => [opType, follow]));
}

/** What stands for the result of a node with a blocked input; undefined for one that wants its inputs as they were. */
export function propagateLayout(node: Node, values: LayoutMap, rewriter: Rewriter): Replacement | undefined {
  const isBlocked = node.inputs.some((input) => input && values.has(input));
  return isBlocked && node.domain === '' ? follows[node.opType]?.(node, values, rewriter) : undefined;
}

function byElement({ opType, inputs, outputs, attributes }: Node, values: LayoutMap): Replacement | undefined {
  const [output] = outputs as [Tensor];
  const operands = inputs.filter((input) => input !== undefined);
  if (operands.length < inputs.length || !operands.every((input) => values.fits(input, output.shape))) return undefined;
  const forms = operands.map((input) => values.blocked(input));
  const { graph } = forms[0]!;
  return values.keep(
    output,
    graph.emit(opType, forms, values.formOf(output.shape), { dtype: output.dtype, attributes }),
  );
}

/** Over rows and columns; over images apart from them, as ONNX Runtime has fast kernels for these two, not for both at once. */
function reduction(
  { opType, inputs, outputs, attributes }: Node,
  values: LayoutMap,
  rewriter: Rewriter,
): Replacement | undefined {
  const [x, axesInput] = inputs as [Tensor, Tensor];
  const [output] = outputs as [Tensor];
  const axes = rewriter.integers(axesInput);
  if (!axes || axes.includes(1)) return undefined;
  const isOverMap = x.shape.every((_, axis) => axis < 2 || axes.includes(axis));
  const form = values.blocked(x);
  const { graph } = form;
  if (attributes.keepdims === 1) {
    if (axes.includes(0)) return undefined;
    const kept = form.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    return values.keep(output, graph.emit(opType, [form, graph.integers(axes)], kept, { attributes }));
  }
  if (!isOverMap) return undefined;
  const [batch = 0, channels = 0, ...space] = x.shape;
  const [blocks, block] = [channels / values.block, values.block];
  const flat = emitReshape(form, [batch, blocks, sizeOf(space), block]);
  const ofMaps = graph.emit(opType, [flat, graph.integers([2])], [batch, blocks, block], { attributes });
  if (!axes.includes(0)) return emitReshape(ofMaps, output.shape);
  const overImages = opType === 'ReduceSumSquare' ? 'ReduceSum' : opType;
  const columns = emitReshape(ofMaps, [batch, channels]);
  return graph.emit(overImages, [columns, graph.integers([0])], output.shape, { attributes });
}

function pooling({ opType, inputs, outputs, attributes }: Node, values: LayoutMap): Replacement {
  const [x] = inputs as [Tensor];
  const [output] = outputs as [Tensor];
  const map = values.blockedMap(x);
  const pooled = map.graph.emit(opType, [map], output.shape, { domain: BLOCKED_DOMAIN, attributes });
  return values.keep(output, values.formOfMap(pooled));
}

function concatenation({ inputs, outputs, attributes }: Node, values: LayoutMap): Replacement | undefined {
  const [output] = outputs as [Tensor];
  const parts = inputs as readonly Tensor[];
  const whole = (part: Tensor) => part.shape[1]! % values.block === 0 && values.fits(part, part.shape);
  if (!parts.every(whole)) return undefined;
  const forms = parts.map((part) => values.blocked(part));
  return values.keep(output, forms[0]!.graph.emit('Concat', forms, values.formOf(output.shape), { attributes }));
}

function expansion({ inputs, outputs }: Node, values: LayoutMap): Replacement | undefined {
  const [x] = inputs as [Tensor];
  const [output] = outputs as [Tensor];
  if (x.shape.length !== output.shape.length || x.shape[1] !== output.shape[1]) return undefined;
  const form = values.blocked(x);
  const shape = values.formOf(output.shape);
  return values.keep(output, form.graph.emit('Expand', [form, form.graph.integers(shape)], shape));
}

function gathering({ inputs, outputs, attributes }: Node, values: LayoutMap): Replacement | undefined {
  const [x, indices] = inputs as [Tensor, Tensor];
  const [output] = outputs as [Tensor];
  if (!values.has(x) || Number(attributes.axis) < 2) return undefined;
  const form = values.blocked(x);
  const picked = [form, values.plain(indices)];
  return values.keep(output, form.graph.emit('Gather', picked, values.formOf(output.shape), { attributes }));
}

function padding(
  { inputs, outputs, attributes }: Node,
  values: LayoutMap,
  rewriter: Rewriter,
): Replacement | undefined {
  const [x, padsInput, value] = inputs as [Tensor, Tensor, Tensor | undefined];
  const [output] = outputs as [Tensor];
  const pads = rewriter.integers(padsInput);
  const rank = x.shape.length;
  if (!pads || inputs.length > 3 || pads[1] !== 0 || pads[rank + 1] !== 0) return undefined;
  const form = values.blocked(x);
  const { graph } = form;
  const all = graph.integers([...pads.slice(0, rank), 0, ...pads.slice(rank), 0]);
  const operands = value ? [form, all, values.plain(value)] : [form, all];
  return values.keep(output, graph.emit('Pad', operands, values.formOf(output.shape), { attributes }));
}

function reshaping({ inputs, outputs }: Node, values: LayoutMap): Replacement | undefined {
  const [x] = inputs as [Tensor];
  const [output] = outputs as [Tensor];
  if (output.shape.length < 2 || x.shape[0] !== output.shape[0] || x.shape[1] !== output.shape[1]) return undefined;
  return values.keep(output, emitReshape(values.blocked(x), values.formOf(output.shape)));
}

function slicing({ inputs, outputs }: Node, values: LayoutMap, rewriter: Rewriter): Replacement | undefined {
  const [x, ...rest] = inputs as Tensor[];
  const [output] = outputs as [Tensor];
  const numbers = rest.map((input) => rewriter.integers(input));
  if (numbers.length !== 4 || !numbers.every((list) => list?.length === 1)) return undefined;
  const [start, stop, axis, step] = numbers.map((list) => list![0]!) as [number, number, number, number];
  const { block } = values;
  if (axis === 1 && (step !== 1 || start % block !== 0 || stop % block !== 0)) return undefined;
  const form = values.blocked(x!);
  const { graph } = form;
  const unit = axis === 1 ? block : 1;
  const operands = [form, ...[start / unit, stop / unit, axis, step].map((number) => graph.integers([number]))];
  return values.keep(output, graph.emit('Slice', operands, values.formOf(output.shape)));
}

/** Of what is not channels; or to channels last, where blocks only have to be brought side by side. */
function transposition({ inputs, outputs, attributes }: Node, values: LayoutMap): Replacement | undefined {
  const [x] = inputs as [Tensor];
  const [output] = outputs as [Tensor];
  const order = attributes.perm as readonly number[];
  const rank = order.length;
  if (order[0] === 0 && order[1] === 1) return values.keep(output, emitTranspose(values.blocked(x), [...order, rank]));
  const isToLast = order.every((axis, i) => axis === (i === 0 ? 0 : i === rank - 1 ? 1 : i + 1));
  if (!isToLast) return undefined;
  const spaces = order.slice(1, -1);
  return emitReshape(emitTranspose(values.blocked(x), [0, ...spaces, 1, rank]), output.shape);
}
