/**
 * What methods look at inside of a network from an ONNX file, a student or a teacher: `pooled` is the vector that its last
 * linear layer sees, `stage1`, … the last map of each resolution, from the largest to the smallest, and `stage1.preact`, …
 * the same before its activation. Each may be named instead, and other values besides.
 */
import { globalAvgPool, mean, reshape, slice, transpose } from '../../engine/ops/index';
import type { Tensor } from '../../engine/tensor';
import { quoted } from '../../formats/binary';
import { UserError } from '../../utils/errors';
import { valueCalled, type Layout, type NetworkInside } from './onnx_inside';
import { layoutsOf } from './onnx_layout';
import type { NamedOutput, NamedOutputs } from './onnx_outputs';

/** A value inside of a network, and how it becomes a vector (N, D) or a map (N, C, H, W). */
export interface Tap {
  /** Its name in the file. */
  readonly value: string;
  readonly form: Form;
}

type Form =
  | { readonly of: 'vector' }
  | { readonly of: 'map'; readonly layout: Layout }
  /** Tokens (N, L, D), of which `prefix` come before those of the patches. */
  | { readonly of: 'class token' }
  | { readonly of: 'patch tokens'; readonly prefix: number; readonly grid?: readonly [height: number, width: number] };

/** Operators behind which the classifier still stands. */
const PASSED_ON = new Set(
  'Add Identity Reshape Flatten Squeeze Mul Div Relu Dropout GlobalAveragePool ReduceMean Softmax LogSoftmax Sigmoid Cast'.split(
    ' ',
  ),
);
const LINEAR = new Set(['Gemm', 'MatMul', 'Conv']);
/** How far the last linear layer may be from the logits. */
const MAX_STEPS = 64;
const ACTIVATIONS = new Set('Relu LeakyRelu PRelu Elu Selu Celu Clip HardSwish Swish Gelu Mish Softplus'.split(' '));
/** Most tokens before those of the patches: a class token, and registers. */
const MAX_PREFIX = 16;

/** The outputs of a network by name, from the input to the output; those named in `key` of params.json are what it says. */
export function tapsOf(network: NetworkInside, named: NamedOutputs | undefined, key: string): ReadonlyMap<string, Tap> {
  const layouts = layoutsOf(network);
  const own = Object.entries(named ?? {}).map(([name, output]) => {
    return [name, namedTap(network, layouts, output, name, `${key}.${name}`)] as const;
  });
  const isStage = (name: string) => /^stage\d+$/.test(name);
  const stages = own.some(([name]) => isStage(name))
    ? own.filter(([name]) => isStage(name)).sort(([a], [b]) => Number(a.slice(5)) - Number(b.slice(5)))
    : stagesOf(network, layouts);
  const others = own.filter(([name]) => !isStage(name) && name !== 'pooled');
  const pooled = own.find(([name]) => name === 'pooled')?.[1] ?? pooledOf(network, layouts);
  return new Map([
    ...stages.flatMap(([name, tap]) => [
      [name, tap] as const,
      [`${name}.preact`, { ...tap, value: beforeActivation(tap.value, network) }] as const,
    ]),
    ...others,
    ...(pooled ? [['pooled', pooled] as const] : []),
  ]);
}

/** The value of a tap as a vector or a map; `pooled` is the mean of a map over its places. */
export function tapped(x: Tensor, { form }: Tap, isPooled: boolean): Tensor {
  const [batch = 0, length = 0, width = 0] = x.shape;
  switch (form.of) {
    case 'vector':
      return x.shape.length === 2 ? x : reshape(x, [batch, length]);
    case 'class token':
      return reshape(slice(x, 1, 0, 1), [batch, width]);
    case 'patch tokens': {
      const patches = form.prefix === 0 ? x : slice(x, 1, form.prefix, length);
      if (isPooled || !form.grid) return mean(patches, { axes: [1] });
      return reshape(transpose(patches, [0, 2, 1]), [batch, width, ...form.grid]);
    }
    case 'map': {
      const map = form.layout === 'NHWC' ? transpose(x, [0, 3, 1, 2]) : x;
      return isPooled ? globalAvgPool(map) : map;
    }
  }
}

/** The last map of each resolution, of those through which everything passes if there are such: no branch of a block. */
function stagesOf({ values }: NetworkInside, layouts: ReadonlyMap<string, Layout>): [name: string, tap: Tap][] {
  const bySize = new Map<string, { area: number; isWhole: boolean; tap: Tap }>();
  const whole = passedByAll(values);
  for (const [value, { shape }] of values) {
    const layout = layouts.get(value);
    if (!layout) continue;
    const [channels = 0, height = 0, width = 0] = layout === 'NCHW' ? shape.slice(1) : [shape[3], shape[1], shape[2]];
    if (channels < 2 || height < 2 || width < 2) continue;
    const size = `${height}x${width}`;
    const isWhole = whole.has(value);
    if (bySize.get(size)?.isWhole && !isWhole) continue;
    bySize.set(size, { area: height * width, isWhole, tap: { value, form: { of: 'map', layout } } });
  }
  const sorted = [...bySize.values()].sort((a, b) => b.area - a.area);
  return sorted.map(({ tap }, i) => [`stage${i + 1}`, tap]);
}

/** The values that all that is computed after them depends on by them alone. */
function passedByAll(values: NetworkInside['values']): ReadonlySet<string> {
  const names = [...values.keys()];
  const lastRead = new Map<string, number>();
  [...values.values()].forEach(({ node }, i) => node.inputs.forEach((name) => lastRead.set(name, i)));
  const waiting = new Set<string>();
  return new Set(
    names.filter((name, i) => {
      waiting.add(name);
      for (const other of waiting) if ((lastRead.get(other) ?? -1) <= i) waiting.delete(other);
      return waiting.size === 1 && waiting.has(name);
    }),
  );
}

/** What an activation makes a value of, x of x · sigmoid(x) too; the value itself, if none does. */
function beforeActivation(name: string, { values }: NetworkInside): string {
  const { opType, inputs } = values.get(name)!.node;
  const [first = '', second = ''] = inputs;
  if (ACTIVATIONS.has(opType) && values.has(first)) return first;
  const isGate = (gate: string, x: string) => {
    const node = values.get(gate)?.node;
    return node !== undefined && ['Sigmoid', 'HardSigmoid'].includes(node.opType) && node.inputs[0] === x;
  };
  if (opType === 'Mul' && isGate(second, first)) return first;
  return opType === 'Mul' && isGate(first, second) ? second : name;
}

/** What the last linear layer sees, if one is found. */
function pooledOf({ values, logits }: NetworkInside, layouts: ReadonlyMap<string, Layout>): Tap | undefined {
  const waiting = logits === undefined ? [] : [logits];
  for (let steps = 0; waiting.length > 0 && steps < MAX_STEPS; steps++) {
    const maker = values.get(waiting.shift()!)?.node;
    if (!maker) continue;
    const inputs = maker.inputs.filter((name) => values.has(name));
    if (LINEAR.has(maker.opType)) return inputs[0] === undefined ? undefined : vectorTap(inputs[0], values, layouts);
    if (PASSED_ON.has(maker.opType)) waiting.push(...inputs);
  }
  return undefined;
}

function vectorTap(
  value: string,
  values: NetworkInside['values'],
  layouts: ReadonlyMap<string, Layout>,
): Tap | undefined {
  const { shape } = values.get(value)!;
  if (isVector(shape)) return { value, form: { of: 'vector' } };
  if (shape.length === 3) return { value, form: { of: 'patch tokens', prefix: 0 } };
  return shape.length === 4 ? { value, form: { of: 'map', layout: layouts.get(value) ?? 'NCHW' } } : undefined;
}

/** (N, D), of maps of one pixel too. */
function isVector(shape: readonly number[]): boolean {
  return shape.length >= 2 && shape.slice(2).every((length) => length === 1);
}

/** A tap that params.json names; a UserError tells what does not fit. */
function namedTap(
  network: NetworkInside,
  layouts: ReadonlyMap<string, Layout>,
  output: NamedOutput,
  name: string,
  key: string,
): Tap {
  const { value: wanted, tokens, prefix, layout } = typeof output === 'string' ? { value: output } : output;
  const value = valueCalled(wanted, network, typeof output === 'string' ? key : `${key}.value`);
  const { shape } = network.values.get(value)!;
  const told = `"${key}" is ${quoted(wanted)}, of the shape [${shape.map((length, i) => (i === 0 ? 'N' : length)).join(', ')}]`;
  const fail = (accepted: string) => new UserError(`${network.path}: ${told}${accepted}`);
  if (shape[0] !== network.batch) {
    throw new UserError(
      `${network.path}: "${key}" is ${quoted(wanted)}, of the shape [${shape.join(', ')}] for ${network.batch} images, ` +
        'accepted are values with a row for each image',
    );
  }
  if (tokens !== undefined && shape.length !== 3) {
    throw fail(', accepted with "tokens" are sequences [N, tokens, width]');
  }
  if (tokens === 'class') return { value, form: { of: 'class token' } };
  if (tokens !== undefined) {
    if (prefix !== undefined && prefix >= shape[1]!) throw fail(`, accepted as "prefix" are fewer than ${shape[1]}`);
    const form = patchTokens(value, network, layouts, prefix);
    const count = prefix ?? form?.prefix;
    if (tokens === 'mean' && count !== undefined) return { value, form: { of: 'patch tokens', prefix: count } };
    if (!form) throw fail(', whose patches are no square: set "prefix", the number of tokens before them');
    return { value, form };
  }
  if (shape.length === 3) throw fail(': say what of its tokens, {"value": …, "tokens": "class"}, "mean" or "map"');
  const isMap = shape.length === 4;
  if (/^stage\d+$/.test(name) && !isMap) throw fail(', accepted are maps [N, channels, height, width]');
  if (!isMap && !isVector(shape)) throw fail(', accepted are vectors [N, D], maps [N, C, H, W] and tokens [N, L, D]');
  return { value, form: isMap ? { of: 'map', layout: layout ?? layouts.get(value) ?? 'NCHW' } : { of: 'vector' } };
}

/**
 * How many tokens come before those of the patches, and how these lie in the image: as the last map before them that has as
 * many places, or else in a square.
 */
function patchTokens(
  value: string,
  { values }: NetworkInside,
  layouts: ReadonlyMap<string, Layout>,
  given: number | undefined,
): Extract<Form, { of: 'patch tokens' }> | undefined {
  const length = values.get(value)!.shape[1]!;
  let grid: readonly [number, number] | undefined;
  for (const [name, { shape }] of values) {
    if (name === value) break;
    const layout = layouts.get(name);
    if (!layout) continue;
    const [height = 0, width = 0] = layout === 'NCHW' ? shape.slice(2) : shape.slice(1);
    const rest = length - height * width;
    const isFit = given === undefined ? rest >= 0 && rest <= MAX_PREFIX : rest === given;
    if (isFit && (!grid || height * width >= grid[0] * grid[1])) grid = [height, width];
  }
  const side = Math.floor(Math.sqrt(length - (given ?? 0)));
  if (!grid && side > 0 && (given === undefined || side * side === length - given)) grid = [side, side];
  return grid && { of: 'patch tokens', prefix: length - grid[0] * grid[1], grid };
}
