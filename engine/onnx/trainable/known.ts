/** What ONNX's operators make of values that are known: the arithmetic of shapes, indices and masks. */
import { sizeOf } from '../../../formats/ndarray';
import { broadcastShape } from '../../tensor';
import { literal, stridesOf, type Literal } from './literal';
import {
  axesOf,
  axisOf,
  broadcast,
  concatenated,
  cutsOf,
  fromStart,
  gathered,
  limited,
  padded,
  resolvedShape,
  scattered,
  shapeLiteral,
  splitSizes,
  squeezed,
  takeRange,
  transposed,
  unsqueezed,
} from './moves';
import type { ProgramNode } from './node';

type Inputs = readonly (Literal | undefined)[];
type Rule = (inputs: Inputs, node: ProgramNode, opset: number) => Literal | readonly Literal[];

/** The results of a node whose inputs are all known; undefined where it is none of these operators. */
export function evaluateKnown(inputs: Inputs, node: ProgramNode, opset: number): readonly Literal[] | undefined {
  const rule = node.domain === '' && Object.hasOwn(rules, node.opType) ? rules[node.opType] : undefined;
  if (!rule) return undefined;
  const results = rule(inputs, node, opset);
  return 'kind' in results ? [results] : results;
}

const rules: Readonly<Record<string, Rule>> = {
  Constant: (_, node) => constantOf(node),
  Identity: ([x]) => x!,
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic((a, b, whole) => (whole ? Math.trunc(a / b) : a / b)),
  Mod: arithmetic((a, b) => a - b * Math.floor(a / b)),
  Pow: arithmetic((a, b) => a ** b),
  Min: arithmetic((a, b) => Math.min(a, b)),
  Max: arithmetic((a, b) => Math.max(a, b)),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Sqrt: unary(Math.sqrt),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Reciprocal: unary((x) => 1 / x),
  Sign: unary(Math.sign),
  Not: ([x]) => ({ ...x!, data: Float64Array.from(x!.data, (value) => Number(value === 0)) }),
  Equal: comparison((a, b) => a === b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Where: ([condition, a, b]) => {
    const shape = broadcastShape('Where', broadcastShape('Where', condition!.shape, a!.shape), b!.shape);
    const [c, x, y] = [condition!, a!, b!].map((value) => broadcast(value, shape).data) as [
      Literal['data'],
      Literal['data'],
      Literal['data'],
    ];
    return literal(
      a!.kind,
      shape,
      c.map((holds, i) => (holds !== 0 ? x[i]! : y[i]!)),
    );
  },
  Cast: ([x], node) => cast(x!, kindOfType(node.attributes.get('to'))),
  CastLike: ([x, like]) => cast(x!, like!.kind),
  Shape: ([x], node) => shapeLiteral(x!.shape, node),
  Size: ([x]) => literal('int', [], [sizeOf(x!.shape)]),
  Concat: (inputs, node) => concatenated(inputs as readonly Literal[], axisOf(node, inputs[0]!)),
  Gather: ([x, indices], node) => gathered(x!, indices!, axisOf(node, x!, 0)),
  Slice: (inputs, node) => sliced(inputs, node),
  Squeeze: ([x, axes], node) => ({ ...x!, shape: squeezed(x!.shape, axesOf(node, axes)) }),
  Unsqueeze: ([x, axes], node) => ({ ...x!, shape: unsqueezed(x!.shape, axesOf(node, axes)!) }),
  Reshape: ([x, shape], node) => ({ ...x!, shape: resolvedShape(x!.shape, Array.from(shape!.data), node) }),
  Flatten: ([x], node) => {
    const axis = axisOf(node, x!, 1);
    return { ...x!, shape: [sizeOf(x!.shape.slice(0, axis)), sizeOf(x!.shape.slice(axis))] };
  },
  Transpose: ([x], node) =>
    transposed(
      x!,
      (node.attributes.get('perm') as number[] | undefined) ?? x!.shape.map((_, i) => x!.shape.length - 1 - i),
    ),
  Expand: ([x, shape]) => broadcast(x!, broadcastShape('Expand', x!.shape, Array.from(shape!.data))),
  Tile: ([x, repeats]) =>
    Array.from(repeats!.data).reduce((y, count, axis) => concatenated(new Array<Literal>(count).fill(y), axis), x!),
  ConstantOfShape: ([shape], node) => {
    const value = (node.attributes.get('value') as Literal | undefined) ?? literal('float', [1], [0]);
    return broadcast({ ...value, shape: [] }, limited(Array.from(shape!.data)));
  },
  Range: ([start, limit, delta]) => {
    const [from, to, by] = [start!, limit!, delta!].map(({ data }) => data[0]!) as [number, number, number];
    const [count = 0] = limited([Math.max(0, Math.ceil((to - from) / by))]);
    return literal(
      start!.kind,
      [count],
      Float64Array.from({ length: count }, (_, i) => from + i * by),
    );
  },
  ReduceProd: reduction((values) => values.reduce((a, b) => a * b, 1)),
  ReduceSum: reduction((values) => values.reduce((a, b) => a + b, 0)),
  ReduceMax: reduction((values) => values.reduce((a, b) => Math.max(a, b), -Infinity)),
  ReduceMin: reduction((values) => values.reduce((a, b) => Math.min(a, b), Infinity)),
  CumSum: ([x, axis]) => {
    const along = fromStart(axis!.data[0]!, x!.shape.length);
    const [data, step, length] = [Float64Array.from(x!.data), stridesOf(x!.shape)[along]!, x!.shape[along]!];
    data.forEach((_, i) => Math.floor(i / step) % length > 0 && (data[i] = data[i]! + data[i - step]!));
    return { ...x!, data };
  },
  ScatterND: ([x, indices, updates]) => scattered(x!, indices!, updates!),
  Split: ([x, sizes], node) => {
    const axis = axisOf(node, x!, 0);
    let start = 0;
    return splitSizes(x!.shape[axis]!, sizes, node).map((size) => {
      start += size;
      return takeRange(
        x!,
        axis,
        Array.from({ length: size }, (_, i) => start - size + i),
      );
    });
  },
  Pad: ([x, pads, value], node) => {
    const amounts = Array.from(pads!.data);
    const rank = x!.shape.length;
    if ((node.attributes.get('mode') ?? 'constant') !== 'constant' || amounts.length !== 2 * rank)
      throw new Error('only constants of all axes are added to what is known');
    return x!.shape.reduce(
      (y, _, axis) => padded(y, axis, amounts[axis]!, amounts[axis + rank]!, value?.data[0] ?? 0),
      x!,
    );
  },
};

function constantOf({ attributes }: ProgramNode): Literal {
  const value = attributes.get('value');
  if (value !== undefined) return value as Literal;
  const of = (name: string) => attributes.get(name) as number | readonly number[] | undefined;
  const [int, ints, float, floats] = ['value_int', 'value_ints', 'value_float', 'value_floats'].map(of);
  if (int !== undefined) return literal('int', [], [int as number]);
  if (float !== undefined) return literal('float', [], [float as number]);
  const list = (ints ?? floats) as readonly number[] | undefined;
  if (!list) throw new Error('a constant that is no tensor of numbers');
  return literal(ints ? 'int' : 'float', [list.length], list);
}

/** TensorProto.DataType as what is told apart here. */
function kindOfType(type: unknown): Literal['kind'] {
  if ([1, 10, 11, 16].includes(type as number)) return 'float';
  if (type === 9) return 'bool';
  if ([2, 3, 4, 5, 6, 7, 12, 13].includes(type as number)) return 'int';
  throw new Error(`the element type ${String(type)}`);
}

function cast(x: Literal, kind: Literal['kind']): Literal {
  if (x.kind === kind) return x;
  if (kind === 'int') return literal(kind, x.shape, Float64Array.from(x.data, Math.trunc));
  return literal(kind, x.shape, kind === 'bool' ? Float64Array.from(x.data, (value) => Number(value !== 0)) : x.data);
}

function unary(of: (x: number) => number): Rule {
  return ([x]) => ({ ...x!, data: Float64Array.from(x!.data, of) });
}

function arithmetic(of: (a: number, b: number, isWhole: boolean) => number): Rule {
  return ([first, ...others]) =>
    others.reduce<Literal>((a, b) => {
      const kind = a.kind;
      return combined(a, b!, kind, (x, y) => of(x, y, kind === 'int'));
    }, first!);
}

function comparison(of: (a: number, b: number) => boolean): Rule {
  return ([a, b]) => combined(a!, b!, 'bool', (x, y) => Number(of(x, y)));
}

function combined(a: Literal, b: Literal, kind: Literal['kind'], of: (x: number, y: number) => number): Literal {
  const shape = limited(broadcastShape('broadcast', a.shape, b.shape));
  const [x, y] = [broadcast(a, shape).data, broadcast(b, shape).data];
  return literal(
    kind,
    shape,
    Float64Array.from(x, (value, i) => of(value, y[i]!)),
  );
}

function reduction(of: (values: readonly number[]) => number): Rule {
  return ([x, axes], node) => {
    const { kind, shape, data } = x!;
    const given = axesOf(node, axes)?.map((axis) => fromStart(axis, shape.length));
    const over = given && given.length > 0 ? given : shape.map((_, axis) => axis);
    const kept = shape.map((length, axis) => (over.includes(axis) ? 1 : length));
    const [strides, target] = [stridesOf(shape), stridesOf(kept)];
    const groups = Array.from({ length: sizeOf(kept) }, (): number[] => []);
    data.forEach((value, i) => {
      const place = shape.reduce(
        (sum, length, axis) =>
          sum + (over.includes(axis) ? 0 : (Math.floor(i / strides[axis]!) % length) * target[axis]!),
        0,
      );
      groups[place]!.push(value);
    });
    const keeps = (node.attributes.get('keepdims') ?? 1) === 1;
    return literal(kind, keeps ? kept : shape.filter((_, axis) => !over.includes(axis)), groups.map(of));
  };
}

function sliced(inputs: Inputs, node: ProgramNode): Literal {
  const lists = inputs.map((input) => input && Array.from(input.data));
  return cutsOf(inputs[0]!.shape, lists, node).reduce((x, { axis, places }) => takeRange(x, axis, places), inputs[0]!);
}
