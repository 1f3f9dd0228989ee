/** What methods look at inside of a teacher from an ONNX file: which values, in which form. */
import { Graph } from '../../../engine/graph';
import type { FixedInput, InsideValue } from '../../../engine/onnx/inside';
import type { OnnxModel } from '../../../engine/onnx/read';
import { quoted } from '../../../formats/binary';
import { UserError } from '../../../utils/errors';
import { counted } from '../../../utils/words';
import type { Inside } from '../../nets/onnx_inside';
import { tapped, tapsOf, type Tap } from '../../nets/onnx_taps';
import type { Teacher } from '../teacher';
import type { Input } from './input';
import type { OnnxTeacherParams } from './params';
import { list } from './values';

/** Images for which the shapes inside of a model are told, if its batch is open; an axis of one could be any. */
const OPEN_BATCH = 2;
/** Before this operator set, GroupNormalization is made of others, which keep the digits. */
const GROUP_NORM_IN_ONE = 21;
/** Types of values that can be handed on. */
const FLOATING = ['float32', 'float16', 'bfloat16', 'float64'];

/** A tap of a teacher. */
export interface TeacherTap extends Tap {
  readonly dtype: string;
  /** Of the value for one image. */
  readonly shape: readonly number[];
}

/** The input for which the shapes inside of a model are told. */
export function fixedInput({ value, batch = OPEN_BATCH, pixels }: Input): FixedInput {
  const { height, width, layout } = pixels;
  const channels = pixels.channels === 'gray' ? 1 : 3;
  const all = [channels * height * width];
  const image = {
    NCHW: [channels, height, width],
    NHWC: [height, width, channels],
    NHW: [height, width],
    'N(CHW)': all,
    'N(HWC)': all,
  }[layout];
  return { name: value.name, dtype: value.dtype, shape: [batch, ...image] };
}

/** The taps of a model by name; `logits` is the value that has them, if there is one. */
export function teacherTaps(
  params: OnnxTeacherParams,
  model: OnnxModel,
  inside: ReadonlyMap<string, InsideValue>,
  { value, batch = OPEN_BATCH, pixels: { layout } }: Input,
  logits: string | undefined,
): Map<string, TeacherTap> {
  const { onnx: path, output } = params;
  const values = valuesOf(model, inside, value.name);
  const named = output === 'embedding' ? { ...embeddingOf(params, model), ...params.outputs } : params.outputs;
  if (named && values.size === 0) {
    throw new UserError(`${path}: ONNX Runtime cannot tell the shapes of its values, of which "outputs" names some`);
  }
  const images = { name: value.name, layout: layout === 'NCHW' || layout === 'NHWC' ? layout : undefined };
  const taps = [...tapsOf({ path, values, images, batch, logits }, named, 'outputs')];
  return new Map(
    taps.flatMap(([name, tap]) => {
      const [rows, ...shape] = values.get(tap.value)!.shape;
      return rows === batch ? [[name, { ...tap, dtype: inside.get(tap.value)!.dtype, shape }] as const] : [];
    }),
  );
}

/** A graph from the values of taps, its inputs `value/<name>`, to what methods see of them, its outputs `<name>`. */
export function formsOf(taps: ReadonlyMap<string, TeacherTap>): Graph {
  const graph = new Graph();
  for (const [name, tap] of taps) {
    graph.output(name, tapped(graph.input(`value/${name}`, 'float32', [1, ...tap.shape]), tap, name === 'pooled'));
  }
  return graph;
}

/** What methods find, for the log, with the values that these are; those before activations go without saying. */
export function tapsInWords(taps: ReadonlyMap<string, TeacherTap>, shapes: Teacher['shapes']): string[] {
  const told = [...taps].filter(([name]) => !name.endsWith('.preact'));
  const words = told.map(([name, { value }]) => `${name} [${shapes.get(name)!.join(', ')}] of ${quoted(value)}`);
  return words.length > 0 ? [`methods find ${words.join(', ')}`] : [];
}

/** What ONNX Runtime computes with fewer digits than there are, one sentence each. */
export function imprecise({ nodes, opsets }: Pick<OnnxModel, 'nodes' | 'opsets'>): string[] {
  const isSingle = (opsets.get('') ?? 0) >= GROUP_NORM_IN_ONE;
  const count = nodes.filter(({ opType, domain }) => domain === '' && opType === 'GroupNormalization').length;
  if (!isSingle || count === 0) return [];
  return [
    `has ${counted(count, 'GroupNormalization node')} of opset ${GROUP_NORM_IN_ONE} or later, of which ONNX Runtime loses ` +
      'digits where the mean of a group is some hundred standard deviations from 0',
  ];
}

/** The vector of a model without logits: the output that is named, or the only one that can be it. */
function embeddingOf(
  { onnx: path, output_name: name, outputs: named }: OnnxTeacherParams,
  { outputs }: OnnxModel,
): { pooled: string } | undefined {
  if (named?.pooled !== undefined) return undefined;
  if (name !== undefined) return { pooled: name };
  const vectors = outputs.filter(({ dtype, shape }) => FLOATING.includes(dtype) && shape?.length === 2);
  const [only, ...others] = outputs.length === 1 ? outputs : vectors;
  if (only && others.length === 0) return { pooled: only.name };
  throw new UserError(
    `${path}: has the outputs ${list(outputs)}, accepted is one vector [N, width] with "output": "embedding": set ` +
      '"output_name", or "outputs": {"pooled": …}',
  );
}

/** The floating-point values that depend on the images, with their shapes. */
function valuesOf(
  { nodes }: OnnxModel,
  inside: ReadonlyMap<string, InsideValue>,
  images: string,
): ReadonlyMap<string, Inside> {
  const reached = new Set([images]);
  const values = new Map<string, Inside>();
  for (const node of nodes) {
    if (!node.inputs.some((input) => reached.has(input))) continue;
    for (const name of node.outputs) {
      reached.add(name);
      const { dtype = '', shape = [] } = inside.get(name) ?? {};
      const lengths = shape.filter((length) => typeof length === 'number');
      if (FLOATING.includes(dtype) && lengths.length === shape.length) values.set(name, { shape: lengths, node });
    }
  }
  return values;
}
