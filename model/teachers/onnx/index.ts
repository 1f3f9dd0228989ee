/**
 * A teacher from any classifier in an ONNX file. A preprocessing graph converts the stored pixels to the model's input:
 * its channels, normalization, size and layout. The keys in params.json are checked against the model.
 */
import { createHash } from 'node:crypto';
import { providerOf } from '../../../engine/backends/onnxruntime';
import { ForeignModel, weightFiles } from '../../../engine/onnx/foreign';
import { Session } from '../../../engine/session';
import { quoted, readBytes } from '../../../formats/binary';
import { ndarray, sizeOf, type NdArray } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import { counted } from '../../../utils/words';
import { pixelsOf, type Dataset } from '../../data/dataset';
import type { Batch } from '../../data/loader';
import type { Model } from '../../nets/model';
import { brokenRow, type Teacher, type TeacherContext, type TeacherEntry } from '../teacher';
import { columnsOf, type Columns } from './columns';
import { inputOf, type Input } from './input';
import { checkOutput, outputOf, type Output } from './output';
import { onnxOptions, type OnnxTeacherParams } from './params';
import { preparation } from './preparation';

/** Maximum input values per run if the model's batch size is open. */
const PIECE = 2 ** 24;
/** Images used to check a model when it is loaded. */
const SAMPLE = 64;
/** The smallest normal float32: ln of it is −87.3. */
const TINY = 2 ** -126;

/** Loads a model and tries it on the first training images. */
export async function onnxTeacher(
  params: OnnxTeacherParams,
  student: Model,
  dataset: Dataset,
  { threads, backend, profile, log }: TeacherContext,
): Promise<Teacher> {
  const { onnx } = params;
  const columns = columnsOf(params, dataset);
  let ends: { input: Input; output: Output } | undefined;
  const opened = await ForeignModel.openAdapted(
    onnx,
    threads,
    (model) => {
      const input = inputOf(onnx, model, params, dataset, student.normalize);
      const output = outputOf(onnx, model, params, dataset, columns);
      ends = { input, output };
      return { input: input.value, output: output.value };
    },
    { profile, provider: providerOf(backend) },
  );
  const { input, output } = ends!;
  for (const line of [...input.remarks, ...output.remarks]) log('info', line);
  for (const remark of opened.remarks) log('warn', `${onnx}: ${remark}`);
  const prepare = await Session.create(preparation(student.input, input.pixels), {
    threads,
    backend,
    dynamicBatch: true,
  });
  const teacher = new OnnxTeacher(params, { ...opened, prepare }, { input, output, columns }, student);

  const size = Math.min(SAMPLE, dataset.train.size);
  const images = await pixelsOf(
    dataset.train,
    Uint32Array.from({ length: size }, (_, i) => i),
    dataset.shape,
  );
  checkOutput(params, await teacher.answers({ images, size }));
  return teacher;
}

/** The session, and the names of the model's input and output. */
interface Programs {
  readonly prepare: Session;
  readonly model: ForeignModel;
  readonly input: string;
  readonly output: string;
}

interface Ends {
  readonly input: Input;
  readonly output: Output;
  readonly columns: Columns | undefined;
}

class OnnxTeacher implements Teacher {
  readonly shapes: Teacher['shapes'];

  constructor(
    private readonly params: OnnxTeacherParams,
    private readonly programs: Programs,
    private readonly ends: Ends,
    private readonly student: Model,
  ) {
    this.shapes = new Map([['logits', [student.options.classes]]]);
  }

  /** Of probabilities p the logits are ln p, up to a constant that no softmax sees. */
  async logits(batch: Batch): Promise<NdArray> {
    const { shape, data } = this.chosen(await this.answers(batch));
    if (this.params.output === 'logits') return ndarray('float32', shape, data);
    return ndarray(
      'float32',
      shape,
      data.map((p) => Math.log(Math.max(p, TINY))),
    );
  }

  async outputs(batch: Batch): Promise<Record<string, NdArray>> {
    return { logits: await this.logits(batch) };
  }

  /** A digest of its files and its preprocessing. */
  identity(): string {
    const { onnx, layout, output } = this.params;
    const { input, output: chosen, columns } = this.ends;
    const fed = { layout, output, pixels: input.pixels, value: chosen.value, columns: columns?.numbers };
    const bytes = readBytes(onnx);
    const digest = createHash('sha256')
      .update(JSON.stringify([fed, this.student.input]))
      .update(bytes);
    for (const file of weightFiles(onnx, bytes)) digest.update(readBytes(file));
    return digest.digest('hex');
  }

  /** The raw output of the model for some images, (N, columns), computed in batches of the size that it accepts. */
  async answers({ images, size }: Pick<Batch, 'images' | 'size'>): Promise<NdArray<'float32'>> {
    const { batch, pixels } = this.ends.input;
    const channels = pixels.channels === 'gray' ? 1 : 3;
    const imageSize = sizeOf(this.student.input);
    const piece = batch ?? Math.max(1, Math.floor(PIECE / (channels * pixels.height * pixels.width)));
    const parts: Float32Array[] = [];
    let columns = this.student.options.classes;
    for (let start = 0; start < size; start += piece) {
      const count = Math.min(piece, size - start);
      const rows = batch ?? count;
      const stored = new Uint8Array(rows * imageSize);
      stored.set(images.subarray(start * imageSize, (start + count) * imageSize));
      const found = await this.run(ndarray('uint8', [rows, ...this.student.input], stored));
      columns = found.length / rows;
      parts.push(found.subarray(0, count * columns));
    }
    const outputs = ndarray('float32', [size, columns]);
    parts.reduce((at, part) => (outputs.data.set(part, at), at + part.length), 0);
    if (brokenRow(outputs) >= 0)
      throw new UserError(`${this.params.onnx}: outputs a value that is not finite for an image`);
    return outputs;
  }

  async release(): Promise<void> {
    await this.programs.model.release();
    await this.programs.prepare.release();
  }

  /** The columns of the data set's classes. */
  private chosen(outputs: NdArray<'float32'>): NdArray<'float32'> {
    const { columns } = this.ends;
    if (!columns) return outputs;
    const [rows = 0, count = 0] = outputs.shape;
    const { numbers } = columns;
    const chosen = ndarray('float32', [rows, numbers.length]);
    chosen.data.forEach((_, i) => {
      const row = Math.floor(i / numbers.length);
      chosen.data[i] = outputs.data[row * count + numbers[i % numbers.length]!]!;
    });
    return chosen;
  }

  private async run(images: NdArray): Promise<Float32Array> {
    const { prepare, model, input, output } = this.programs;
    const { columns } = this.ends;
    const { prepared } = await prepare.run({ images });
    const { shape, data } = await model.run({ [input]: prepared! }, output);
    const [rows = 0] = images.shape;
    const found = data.length / rows;
    const least = columns ? Math.max(...columns.numbers) + 1 : this.student.options.classes;
    const count = columns?.count ?? (columns && Number.isInteger(found) ? Math.max(found, least) : least);
    if (found !== count || shape[0] !== rows) {
      throw new UserError(
        `${model.path}: outputs ${quoted(this.ends.output.name)} with shape [${shape.join(', ')}] for ${counted(rows, 'image')}, ` +
          `accepted is [${rows}, ${columns && columns.count === undefined ? `${least} or more` : count}]`,
      );
    }
    return data as Float32Array;
  }
}

export const onnxFile: TeacherEntry<OnnxTeacherParams> = {
  options: onnxOptions,
  load: onnxTeacher,
  fileOf: ({ onnx }) => onnx,
  whatToCheck: () => '"layout", "channels", "range", "normalize" and the order of its classes, which "classes" changes',
};
