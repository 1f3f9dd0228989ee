/**
 * A teacher from any classifier in an ONNX file. A graph of our own brings the stored pixels to the form that the model
 * is fed: normalised, resized, in its layout. What params.json says of the model is checked against it.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { providerOf } from '../../engine/backends/onnxruntime';
import { ForeignModel } from '../../engine/onnx/foreign';
import { readModel, type OnnxValue } from '../../engine/onnx/read';
import { Graph } from '../../engine/graph';
import { Session } from '../../engine/session';
import { quoted, readBytes } from '../../utils/binary';
import { UserError } from '../../utils/errors';
import { ndarray, sizeOf, type NdArray } from '../../utils/ndarray';
import type { OnnxTeacherParams } from '../../utils/params';
import { counted } from '../../utils/words';
import type { Batch } from '../data/loader';
import { INPUT_RANGE } from '../deployment';
import { checkNormalize, pixelsOf, type Dataset, type ImageShape } from '../data/dataset';
import { normalizedImages, type Model } from '../programs';
import { brokenRow, type Teacher, type TeacherContext } from './teacher';

/** The model computes at most as many input values at a time where it leaves the batch size open, … */
const PIECE = 2 ** 24;
/** … and what it fixes may not be more than this: 256 MB. */
const MAX_VALUES = 2 ** 26;
/** Images that are looked at when a model is loaded. */
const SAMPLE = 64;
/** The smallest normal float32: ln of it is −87.3. */
const TINY = 2 ** -126;

/** What a model is fed. */
export interface Input {
  readonly name: string;
  /** Images at a time, where the model fixes it. */
  readonly batch: number | undefined;
  /** Of its images, in pixels. */
  readonly height: number;
  readonly width: number;
}

/** Loads a model and tries it on the first training images. */
export async function onnxTeacher(
  params: OnnxTeacherParams,
  student: Model,
  dataset: Dataset,
  { threads, backend, profile, log }: TeacherContext,
): Promise<Teacher> {
  const model = await ForeignModel.open(params.onnx, threads, profile, providerOf(backend));
  const input = inputOf(model, params, dataset);
  const output = outputOf(model, dataset);
  const normalizesItself = model.metadata.get(INPUT_RANGE.key) === INPUT_RANGE.value;
  const normalize = params.normalize ?? (normalizesItself ? asItIs(dataset.shape) : student.normalize);
  if (!params.normalize && !normalizesItself) {
    const { mean, std } = normalize;
    log(
      'info',
      `${params.onnx}: fed images with the mean [${mean.join(', ')}] and std [${std.join(', ')}] of the student's`,
    );
  }
  checkNormalize(`the teacher ${params.onnx}`, params.normalize, dataset);
  const graph = preparation({ input: student.input, normalize }, params.layout, input);
  const session = await Session.create(graph, { threads, backend, dynamicBatch: true });
  const teacher = new OnnxTeacher(model, session, input, output, student, { ...params, normalize });

  const size = Math.min(SAMPLE, dataset.train.size);
  const images = await pixelsOf(
    dataset.train,
    Uint32Array.from({ length: size }, (_, i) => i),
    dataset.shape,
  );
  const sample = await teacher.answers({ images, size });
  checkOutput(params, sample);
  return teacher;
}

class OnnxTeacher implements Teacher {
  readonly shapes: Teacher['shapes'];

  constructor(
    private readonly model: ForeignModel,
    private readonly preparation: Session,
    private readonly input: Input,
    private readonly output: string,
    private readonly student: Model,
    private readonly params: Omit<OnnxTeacherParams, 'normalize'> & Pick<Model, 'normalize'>,
  ) {
    this.shapes = new Map([['logits', [student.options.classes]]]);
  }

  /** Of probabilities p the logits are ln p, up to a constant that no softmax sees. */
  async logits(batch: Batch): Promise<NdArray> {
    const outputs = await this.answers(batch);
    if (this.params.output === 'logits') return outputs;
    return ndarray(
      'float32',
      outputs.shape,
      outputs.data.map((p) => Math.log(Math.max(p, TINY))),
    );
  }

  async outputs(batch: Batch): Promise<Record<string, NdArray>> {
    return { logits: await this.logits(batch) };
  }

  /** Of its files and of what it is fed. */
  identity(): string {
    const { onnx, ...fed } = this.params;
    const bytes = readBytes(onnx);
    const digest = createHash('sha256')
      .update(JSON.stringify([fed, this.student.input]))
      .update(bytes);
    const others = [...readModel(bytes, onnx).initializers.values()].map(({ file }) => file);
    for (const file of new Set(others)) if (file !== undefined) digest.update(readBytes(join(dirname(onnx), file)));
    return digest.digest('hex');
  }

  /** What the model itself gives for some images, (N, classes), computed in pieces of the size that it takes. */
  async answers({ images, size }: Pick<Batch, 'images' | 'size'>): Promise<NdArray<'float32'>> {
    const { classes } = this.student.options;
    const { height, width, batch } = this.input;
    const [channels] = this.student.input;
    const imageSize = sizeOf(this.student.input);
    const piece = batch ?? Math.max(1, Math.floor(PIECE / (channels * height * width)));
    const outputs = ndarray('float32', [size, classes]);
    for (let start = 0; start < size; start += piece) {
      const count = Math.min(piece, size - start);
      const rows = batch ?? count;
      const pixels = new Uint8Array(rows * imageSize);
      pixels.set(images.subarray(start * imageSize, (start + count) * imageSize));
      const found = await this.run(ndarray('uint8', [rows, ...this.student.input], pixels), rows * classes);
      outputs.data.set(found.subarray(0, count * classes), start * classes);
    }
    const broken = brokenRow(outputs);
    if (broken >= 0) throw new UserError(`${this.model.path}: gives a value that is not finite for an image`);
    return outputs;
  }

  async release(): Promise<void> {
    await this.model.release();
    await this.preparation.release();
  }

  private async run(images: NdArray, expected: number): Promise<Float32Array> {
    const { prepared } = await this.preparation.run({ images });
    const { shape, data } = await this.model.run({ [this.input.name]: prepared! }, this.output);
    const [rows = 0] = images.shape;
    if (data.length !== expected || shape[0] !== rows) {
      throw new UserError(
        `${this.model.path}: gives ${quoted(this.output)} of shape [${shape.join(', ')}] for ${counted(rows, 'image')}, ` +
          `accepted is [${rows}, ${expected / rows}]`,
      );
    }
    return data as Float32Array;
  }
}

/** From stored pixels (N, C, H, W) to what the model is fed: normalised, resized, in the layout asked for. */
export function preparation(
  source: Pick<Model, 'input' | 'normalize'>,
  layout: OnnxTeacherParams['layout'],
  { height, width }: Pick<Input, 'height' | 'width'>,
): Graph {
  const graph = new Graph();
  const [channels] = source.input;
  const { normalize } = source;
  let x = normalizedImages(graph, { input: [channels, height, width], stored: source.input, normalize }, 1);
  if (layout === 'NHWC') {
    x = graph.emit('Transpose', [x], [1, height, width, channels], { attributes: { perm: [0, 2, 3, 1] } });
  }
  graph.output('prepared', x);
  return graph;
}

/** For a model that is fed pixels in [0, 1]. */
function asItIs([channels]: ImageShape): Model['normalize'] {
  return { mean: Array<number>(channels).fill(0), std: Array<number>(channels).fill(1) };
}

/** The only input of a model, if it takes images as declared. */
function inputOf(model: ForeignModel, { layout, size }: OnnxTeacherParams, { shape, name }: Dataset): Input {
  const fail = (what: string) => new UserError(`${model.path}: ${what}`);
  const [input, ...others] = model.inputs;
  if (!input || others.length > 0) throw fail(`has ${list(model.inputs)} as inputs, accepted is one input of images`);
  if (input.dtype !== 'float32') throw fail(`takes ${input.dtype} as ${quoted(input.name)}, accepted is float32`);
  const axes = input.shape ?? ['?', '?', '?', '?'];
  const told = `the input ${list([input])}`;
  if (axes.length !== 4) throw fail(`${told} has ${axes.length} axes, accepted are 4, of images`);
  const axisOf = (letter: string): number | undefined => {
    const length = axes[layout.indexOf(letter)];
    return typeof length === 'number' ? length : undefined;
  };
  if (axes.includes(0)) throw fail(`${told} has an empty axis`);
  const [channels, ...dataSize] = shape;
  if ((axisOf('C') ?? channels) !== channels) {
    const other = layout === 'NCHW' ? 'NHWC' : 'NCHW';
    const hint = axes[other.indexOf('C')] === channels ? `; with "layout": "${other}" it has` : '';
    throw fail(
      `${told} has ${axisOf('C')} channels in the layout ${layout}, accepted are ${channels} as of ${name}${hint}`,
    );
  }
  const sideOf = (letter: string, ofDataset: number): number => {
    const fixed = axisOf(letter);
    if (fixed !== undefined && size !== undefined && fixed !== size) {
      throw fail(`${told} has the size ${axisOf('H') ?? '?'} × ${axisOf('W') ?? '?'}, but "size" is ${size}`);
    }
    return fixed ?? size ?? ofDataset;
  };
  const found = {
    name: input.name,
    batch: axisOf('N'),
    height: sideOf('H', dataSize[0]),
    width: sideOf('W', dataSize[1]),
  };
  const values = (found.batch ?? 1) * channels * found.height * found.width;
  if (values > MAX_VALUES) throw fail(`${told} takes ${values} values at a time, accepted are up to ${MAX_VALUES}`);
  return found;
}

/** The name of the only output that can be a value for each class; axes of length 1 may follow. */
function outputOf({ path, outputs }: ForeignModel, { classes, name }: Dataset): string {
  const fits = ({ dtype, shape = ['?', '?'] }: OnnxValue) =>
    dtype === 'float32' &&
    shape.length >= 2 &&
    shape.slice(1).every((length, i) => typeof length === 'string' || length === (i === 0 ? classes.length : 1));
  const [output, ...others] = outputs.filter(fits);
  if (output && others.length === 0) return output.name;
  throw new UserError(
    `${path}: has ${list(outputs)} as outputs, accepted is one that is float32 [N, ${classes.length}], ` +
      `a value for each of the ${classes.length} classes of ${name}`,
  );
}

/** Are the values probabilities where these are declared, and not where logits are? */
function checkOutput({ onnx, output }: OnnxTeacherParams, { shape, data }: NdArray<'float32'>): void {
  const [rows = 0, classes = 0] = shape;
  const isDistribution = (row: number) => {
    const values = data.subarray(row * classes, (row + 1) * classes);
    const sum = values.reduce((total, value) => total + value, 0);
    return values.every((value) => value >= 0) && Math.abs(sum - 1) < 0.01;
  };
  const found = Array.from({ length: rows }, (_, row) => row).every(isDistribution) ? 'probabilities' : 'logits';
  if (found === output) return;
  const what = found === 'logits' ? 'values that are no probabilities adding up to 1' : 'probabilities, not logits';
  throw new UserError(`${onnx}: gives ${what}: set "output": "${found}"`);
}

/** Inputs or outputs in words: `"x" float32 [N, 3, 32, 32]`. */
function list(values: readonly OnnxValue[]): string {
  const axis = (length: number | string) => (/^(\w{1,40}|\?)$/.test(String(length)) ? length : quoted(String(length)));
  const axes = ({ shape }: OnnxValue) => (shape ? shape.slice(0, 8).map(axis).join(', ') : '…');
  const shown = values.slice(0, 3).map((value) => `${quoted(value.name)} ${value.dtype} [${axes(value)}]`);
  return values.length === 0 ? 'nothing' : shown.join(', ') + (values.length > 3 ? ', …' : '');
}
