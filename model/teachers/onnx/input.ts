/** The input of an external model: the meaning of its axes, its channels, and the values of its pixels. */
import type { OnnxModel, OnnxValue } from '../../../engine/onnx/read';
import { quoted } from '../../../formats/binary';
import { UserError } from '../../../utils/errors';
import { counted } from '../../../utils/words';
import { checkNormalize, type Dataset, type ImageShape } from '../../data/dataset';
import { INPUT_RANGE } from '../../evaluation/exported_model';
import type { Normalization } from '../../nets/model';
import type { OnnxTeacherParams } from './params';
import { list } from './values';

/** Maximum size of an input whose axes the model fixes: 256 MB. */
const MAX_VALUES = 2 ** 26;

/** The values of pixels. */
export interface Pixels {
  readonly layout: OnnxTeacherParams['layout'];
  readonly channels: 'gray' | 'RGB' | 'BGR';
  readonly height: number;
  readonly width: number;
  /** A pixel of 255 becomes (range − mean) / std. */
  readonly range: 1 | 255;
  readonly normalize: Normalization;
  /** Whether they are rounded, for a model with byte input. */
  readonly isWhole: boolean;
}

/** The input of a model. */
export interface Input {
  readonly value: OnnxValue & { readonly dtype: (typeof types)[number] };
  /** The batch size, if the model fixes it. */
  readonly batch: number | undefined;
  readonly pixels: Pixels;
  /** Notes for the log. */
  readonly remarks: readonly string[];
}

/** Supported element types, to which float32 is cast. */
const types = ['float32', 'float16', 'bfloat16', 'float64', 'uint8'] as const;

const isAccepted = (value: OnnxValue): value is Input['value'] => types.some((dtype) => dtype === value.dtype);

/** The axes of each layout, N first; axes of an image that are flattened into one are in brackets. */
const axesOf: Readonly<Record<OnnxTeacherParams['layout'], readonly string[]>> = {
  NCHW: ['N', 'C', 'H', 'W'],
  NHWC: ['N', 'H', 'W', 'C'],
  NHW: ['N', 'H', 'W'],
  'N(CHW)': ['N', 'CHW'],
  'N(HWC)': ['N', 'HWC'],
};

/** The only input of a model, if it takes images as declared; `student` is the student's normalization. */
export function inputOf(
  path: string,
  model: Pick<OnnxModel, 'inputs' | 'metadata'>,
  params: OnnxTeacherParams,
  dataset: Dataset,
  student: Normalization,
): Input {
  const fail = (what: string) => new UserError(`${path}: ${what}`);
  const [value, ...others] = model.inputs;
  if (!value || others.length > 0)
    throw fail(`has the inputs ${list(model.inputs)}, accepted is a single input for images`);
  if (!isAccepted(value)) {
    const accepted = `${types.slice(0, -1).join(', ')} and ${types.at(-1)!}`;
    throw fail(`takes ${value.dtype} for ${quoted(value.name)}, accepted are ${accepted}`);
  }
  const { channels, height, width, layout, batch } = sizesOf(value, params, dataset, fail);
  const values = (batch ?? 1) * channels * height * width;
  if (values > MAX_VALUES) {
    const told = `the input ${list([value])}`;
    throw fail(`${told} takes ${values} values at a time, accepted are up to ${MAX_VALUES}`);
  }
  const order = params.channels ?? (channels === 1 ? 'gray' : 'RGB');
  if ((order === 'gray') !== (channels === 1)) {
    throw fail(`"channels" is "${order}", but the input ${list([value])} has ${counted(channels, 'channel')}`);
  }
  const { remark, ...scale } = scaleOf(path, model, value, params, channels, dataset, student, fail);
  const pixels = { layout, channels: order, height, width, ...scale, isWhole: value.dtype === 'uint8' } as const;
  const remarks = remark === undefined ? [] : [remark];
  const [stored] = dataset.shape;
  if (stored !== channels) {
    const how =
      channels === 1 ? 'converted to gray, (299 R + 587 G + 114 B) / 1000' : 'with their channel repeated three times';
    remarks.push(`${path}: takes ${channels === 1 ? 'gray' : 'color'} images: gets those of ${dataset.name} ${how}`);
  }
  return { value, batch, pixels, remarks };
}

type Fail = (what: string) => UserError;

interface Sizes extends Pick<Pixels, 'height' | 'width' | 'layout'> {
  readonly channels: number;
  readonly batch: number | undefined;
}

/** The layout of an input and the lengths of its axes; open ones are taken from the data set. */
function sizesOf(value: OnnxValue, params: OnnxTeacherParams, { shape, name }: Dataset, fail: Fail): Sizes {
  const { size } = params;
  const [stored, ...dataSize] = shape;
  const axes = value.shape ?? axesOf[params.layout].map(() => '?');
  const told = `the input ${list([value])}`;
  if (axes.includes(0)) throw fail(`${told} has an empty axis`);
  const layout = layoutOf(axes, params, shape, (what) => fail(`${told} ${what}`));
  const lengthOf = (axis: string): number | undefined => {
    const length = axes[axesOf[layout].indexOf(axis)];
    return typeof length === 'number' ? length : undefined;
  };
  const batch = lengthOf('N');
  const wanted = wantedChannels(params, stored);
  if (axes.length === 2) {
    const [height, width] = [size ?? dataSize[0], size ?? dataSize[1]];
    const all = lengthOf(axesOf[layout][1]!) ?? wanted * height * width;
    const channels = all / (height * width);
    if (channels === 1 || channels === 3) return { channels, height, width, layout, batch };
    const each = `${height} × ${width} images have ${height * width} of each channel`;
    throw fail(`${told} has ${all} values of an image, but ${each}: set "size" to resize them`);
  }
  const channels = axes.length === 3 ? 1 : (lengthOf('C') ?? wanted);
  const other = layout === 'NCHW' ? 'NHWC' : 'NCHW';
  const otherChannels = axes[axesOf[other].indexOf('C')];
  const isOther = axes.length === 4 && (otherChannels === 1 || otherChannels === 3);
  if ((channels !== 1 && channels !== 3) || (isOther && lengthOf('C') === undefined)) {
    const hint = isOther
      ? `; with "layout": "${other}" it has${otherChannels === stored ? '' : ` ${otherChannels}`}`
      : '';
    const found = lengthOf('C') ?? 'an open number of';
    throw fail(`${told} has ${found} channels in the layout ${layout}, accepted are ${stored} as in ${name}${hint}`);
  }
  const sideOf = (letter: string, ofDataset: number): number => {
    const fixed = lengthOf(letter);
    if (fixed !== undefined && size !== undefined && fixed !== size) {
      throw fail(`${told} has the size ${lengthOf('H') ?? '?'} × ${lengthOf('W') ?? '?'}, but "size" is ${size}`);
    }
    return fixed ?? size ?? ofDataset;
  };
  return { channels, height: sideOf('H', dataSize[0]), width: sideOf('W', dataSize[1]), layout, batch };
}

/** Channels of the model's images if it leaves them open. */
function wantedChannels({ channels }: OnnxTeacherParams, stored: number): number {
  if (channels === undefined) return stored;
  return channels === 'gray' ? 1 : 3;
}

/** The layout of params.json, or the only possible one if the input has fewer axes. */
function layoutOf(
  axes: readonly (number | string)[],
  params: OnnxTeacherParams,
  [stored, height, width]: ImageShape,
  fail: Fail,
): OnnxTeacherParams['layout'] {
  const { layout, size } = params;
  if (axesOf[layout].length === axes.length) return layout;
  const isDefault = axesOf[layout].length === 4;
  const wanted = wantedChannels(params, stored);
  if (isDefault && axes.length === 3) {
    if (wanted === 1) return 'NHW';
    throw fail('has 3 axes, accepted are 4; if they are those of gray images, set "layout": "NHW"');
  }
  if (isDefault && axes.length === 2) {
    const pixels = (size ?? height) * (size ?? width);
    const isColor = typeof axes[1] === 'number' ? axes[1] === 3 * pixels : wanted === 3;
    if (!isColor) return 'N(CHW)';
    throw fail('takes flattened images in an order that the file does not define: set "layout": "N(CHW)" or "N(HWC)"');
  }
  throw fail(
    `has ${axes.length} axes, accepted are ${isDefault ? '4' : `${axesOf[layout].length} in the layout ${layout}`}`,
  );
}

/** The values of pixels, as defined by params.json, the file, or else the student. */
function scaleOf(
  path: string,
  { metadata }: Pick<OnnxModel, 'metadata'>,
  { name, dtype }: OnnxValue,
  { normalize, range }: OnnxTeacherParams,
  channels: number,
  dataset: Dataset,
  student: Normalization,
  fail: Fail,
): Pick<Pixels, 'range' | 'normalize'> & { remark?: string } {
  const isBytes = dtype === 'uint8';
  if (isBytes && (normalize !== undefined || range === 1)) {
    throw fail(
      `takes uint8 for ${quoted(name)}, which are unscaled pixels: remove "${normalize ? 'normalize' : 'range'}"`,
    );
  }
  const isSame = channels === dataset.shape[0];
  const images = isSame ? undefined : `${channels === 1 ? 'gray' : 'color'} images that it takes`;
  if (normalize) {
    checkNormalize(path, normalize, { ...dataset, shape: [channels, 0, 0] }, images);
    return { range: range ?? 1, normalize };
  }
  const unit = { mean: Array<number>(channels).fill(0), std: Array<number>(channels).fill(1) };
  if (isBytes || range === 255) return { range: 255, normalize: unit };
  if (metadata.get(INPUT_RANGE.key) === INPUT_RANGE.value) return { range: 1, normalize: unit };
  if (!isSame && channels === 1) {
    throw fail(
      'takes gray images, for which the student has no mean and std: set "normalize", such as {"mean": [0.5], "std": [0.25]}',
    );
  }
  const own = (values: readonly number[]) => (isSame ? [...values] : Array<number>(channels).fill(values[0]!));
  const [mean, std] = [own(student.mean), own(student.std)];
  const remark = `${path}: images are normalized with the student's mean [${mean.join(', ')}] and std [${std.join(', ')}]`;
  return { range: 1, normalize: { mean, std }, remark };
}
