/** Finds the output of a model that has the logits or probabilities. */
import type { Ends } from '../../../engine/onnx/adapt';
import type { OnnxModel, OnnxValue } from '../../../engine/onnx/read';
import { quoted } from '../../../formats/binary';
import type { NdArray } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import type { Dataset } from '../../data/dataset';
import type { Columns } from './columns';
import type { OnnxTeacherParams } from './params';
import { list } from './values';

export interface Output {
  readonly value: Ends['outputs'][number];
  /** Its name in the file. */
  readonly name: string;
  readonly remarks: readonly string[];
}

/** Supported element types, which are cast to float32. */
const types = ['float32', 'float16', 'bfloat16', 'float64'];

type Model = Pick<OnnxModel, 'outputs' | 'nodes'>;

/** The output named in params.json, or the only one that can have one value per class; axes of length 1 may follow. */
export function outputOf(
  path: string,
  model: Model,
  params: OnnxTeacherParams,
  dataset: Dataset,
  columns?: Columns,
): Output {
  const { output_name: wanted } = params;
  const outputs = [...new Map(model.outputs.map((value) => [value.name, value])).values()];
  const values = outputs.map((value) => beforeZipMap(value, model));
  if (wanted !== undefined) return namedOutput(path, wanted, outputs, values, model);

  const count = columns?.count ?? (columns ? undefined : dataset.classes.length);
  const least = columns ? Math.max(...columns.numbers) + 1 : dataset.classes.length;
  const fits = ({ dtype, shape = ['?', '?'] }: OnnxValue, isOpen: boolean) =>
    (types.includes(dtype) || (isOpen && dtype === 'unknown')) &&
    shape.length >= 2 &&
    shape.slice(1).every((length, i) => {
      if (typeof length === 'string') return isOpen;
      return i > 0 ? length === 1 : count === undefined ? length >= least : length === count;
    });
  for (const isOpen of [false, true]) {
    const [only, ...others] = values.filter((value) => fits(value, isOpen));
    if (!only || others.length > 0) continue;
    const { name } = outputs[values.indexOf(only)]!;
    const remarks = outputs.length > 1 ? [`${path}: uses ${quoted(name)} of its outputs ${list(outputs)}`] : [];
    return { value: only, name, remarks };
  }
  const classes = dataset.classes.length;
  const several = values.filter((value) => fits(value, true)).length > 1;
  const wider = values.some(({ dtype, shape }) => types.includes(dtype) && Number(shape?.[1]) > classes);
  const hint = several
    ? ': set "output_name"'
    : wider && !columns
      ? `: set "classes" to the columns of ${dataset.name}`
      : '';
  const wide = count === undefined ? `${least} or more` : String(count);
  const need = columns ? '"classes" needs' : `one value for each of the ${classes} classes of ${dataset.name}`;
  throw new UserError(
    `${path}: has the outputs ${list(outputs)}, accepted is one that is float32 [N, ${wide}], ` +
      `${columns ? `as ${need}` : need}${hint}`,
  );
}

function namedOutput(
  path: string,
  wanted: string,
  outputs: readonly OnnxValue[],
  values: readonly OnnxValue[],
  { nodes }: Model,
): Output {
  const value = values[outputs.findIndex(({ name }) => name === wanted)];
  if (value && !types.includes(value.dtype) && value.dtype !== 'unknown') {
    throw new UserError(
      `${path}: "output_name" is ${quoted(wanted)}, which is ${value.dtype}, accepted are floating-point types`,
    );
  }
  if (value) return { value, name: wanted, remarks: [] };
  if (nodes.some((node) => node.outputs.includes(wanted))) {
    return { value: { name: wanted, dtype: 'unknown' }, name: wanted, remarks: [] };
  }
  throw new UserError(`${path}: "output_name" is ${quoted(wanted)}, accepted are the outputs ${list(outputs)}`);
}

/** For a sequence of maps from class to probability, the default of scikit-learn's exporter, the matrix behind it. */
function beforeZipMap(value: OnnxValue, { nodes }: Model): OnnxValue {
  const maker = nodes.find(({ opType, outputs }) => opType === 'ZipMap' && outputs.includes(value.name));
  return maker ? { name: maker.inputs[0] ?? '', dtype: 'unknown', shape: undefined } : value;
}

/** Checks that declared probabilities are probabilities, and declared logits are not. */
export function checkOutput({ onnx, output }: OnnxTeacherParams, { shape, data }: NdArray<'float32'>): void {
  const [rows = 0, classes = 0] = shape;
  const isDistribution = (row: number) => {
    const values = data.subarray(row * classes, (row + 1) * classes);
    const sum = values.reduce((total, value) => total + value, 0);
    return values.every((value) => value >= 0) && Math.abs(sum - 1) < 0.01;
  };
  const found = Array.from({ length: rows }, (_, row) => row).every(isDistribution) ? 'probabilities' : 'logits';
  if (found === output) return;
  const what = found === 'logits' ? 'values that are not probabilities with sum 1' : 'probabilities, not logits';
  throw new UserError(`${onnx}: outputs ${what}: set "output": "${found}"`);
}
