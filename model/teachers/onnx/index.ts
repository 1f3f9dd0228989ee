/**
 * A teacher from a network in an ONNX file: a classifier, or an encoder without logits. A preprocessing graph converts the
 * stored pixels to the model's input: its channels, normalization, size and layout. The keys in params.json are checked
 * against the model.
 */
import { createHash } from 'node:crypto';
import type { Graph } from '../../../engine/graph';
import { ForeignModel, weightFiles } from '../../../engine/onnx/foreign';
import { ForeignNetwork } from '../../../engine/onnx/trainable/network';
import { Session } from '../../../engine/session';
import { quoted, readBytes } from '../../../formats/binary';
import { ndarray, type NdArray } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import { counted } from '../../../utils/words';
import { pixelsOf, type Dataset } from '../../data/dataset';
import type { Batch } from '../../data/loader';
import type { Model } from '../../nets/model';
import { evaluatedOnnx } from '../../nets/onnx_net';
import { int8Program } from '../int8_program';
import { logitsTeacher, type StoredImages, type Teacher, type TeacherContext, type TeacherEntry } from '../teacher';
import { columnsOf, type Columns } from './columns';
import { inputOf, type Input } from './input';
import { checkOutput, outputOf, type Output } from './output';
import { onnxOptions, type OnnxTeacherParams } from './params';
import { preparation } from './preparation';
import { pieces, Runner, type Wanted } from './runner';
import { fixedInput, formsOf, imprecise, tapsInWords, teacherTaps, type TeacherTap } from './taps';

/** Images used to check a model when it is loaded. */
const SAMPLE = 64;
/** The smallest normal float32: ln of it is −87.3. */
const TINY = 2 ** -126;

/** Loads a model and tries it on the first training images. */
export async function onnxTeacher(
  params: OnnxTeacherParams,
  student: Model,
  dataset: Dataset,
  context: TeacherContext,
): Promise<Teacher> {
  const { onnx } = params;
  const { log } = context;
  const hasLogits = params.output !== 'embedding';
  const columns = hasLogits ? columnsOf(params, dataset) : undefined;
  const { model, inside } = ForeignModel.look(onnx);
  const input = inputOf(onnx, model, params, dataset, student.normalize);
  const output = hasLogits ? outputOf(onnx, model, params, dataset, columns) : undefined;
  const isSearched = !(output && context.onlyLogits);
  const taps = isSearched
    ? teacherTaps(params, model, await inside(fixedInput(input)), input, output?.value.name)
    : new Map<string, TeacherTap>();
  for (const line of [...input.remarks, ...(output?.remarks ?? [])]) log('info', line);
  for (const remark of imprecise(model)) log('warn', `${onnx}: ${remark}`);
  const prepare = await preparing(student, input, context);
  const teacher = new OnnxTeacher(params, { input, output, columns, taps }, student, prepare, context);
  for (const words of tapsInWords(taps, teacher.shapes)) log('info', `${onnx}: ${words}`);

  const size = Math.min(SAMPLE, dataset.train.size);
  const images = await pixelsOf(
    dataset.train,
    Uint32Array.from({ length: size }, (_, i) => i),
    dataset.shape,
  );
  await teacher.tryOn({ images, size });
  return teacher;
}

/** From stored pixels to the input of a model. */
function preparing(
  student: Model,
  { pixels }: Input,
  { threads, backend }: Pick<TeacherContext, 'threads' | 'backend'>,
): Promise<Session> {
  return Session.create(preparation(student.input, pixels), { threads, backend, dynamicBatch: true });
}

interface Parts {
  readonly input: Input;
  /** Absent if the model has no logits. */
  readonly output: Output | undefined;
  readonly columns: Columns | undefined;
  readonly taps: ReadonlyMap<string, TeacherTap>;
}

/** A model up to some of its values, and the graph from these to outputs. */
interface Program {
  readonly wanted: readonly Wanted[];
  readonly runner: Runner;
  readonly forms: Session | undefined;
}

class OnnxTeacher implements Teacher {
  readonly shapes: Teacher['shapes'];
  /** One for each requested set of outputs. */
  private readonly programs = new Map<string, Promise<Program>>();

  constructor(
    private readonly params: OnnxTeacherParams,
    private readonly parts: Parts,
    private readonly student: Model,
    private readonly prepare: Session,
    private readonly context: TeacherContext,
  ) {
    const shapes = new Map<string, readonly number[]>();
    for (const [name, { shape }] of formsOf(parts.taps).outputs) shapes.set(name, shape.slice(1));
    if (parts.output) shapes.set('logits', [student.options.classes]);
    this.shapes = shapes;
  }

  /** Of probabilities p the logits are ln p, up to a constant that no softmax sees. */
  async logits(batch: Batch): Promise<NdArray> {
    return (await this.outputs(batch, ['logits'])).logits!;
  }

  async outputs(batch: StoredImages, names: readonly string[]): Promise<Record<string, NdArray>> {
    const program = await this.program(names);
    const { wanted, forms } = program;
    const arrays = await this.values(program.runner, batch);
    const byValue = new Map(wanted.map(({ name }, i) => [name, arrays[i]!]));
    const feeds = tapsCalled(names, this.parts.taps).map(
      ([name, { value }]) => [`value/${name}`, byValue.get(value)!] as const,
    );
    const found = forms ? await forms.run(Object.fromEntries(feeds)) : {};
    if (names.includes('logits')) found.logits = this.classLogits(byValue.get(this.parts.output!.value.name)!);
    return found;
  }

  /** A digest of its files, its preprocessing, and the values that the outputs are made of. */
  identity(names: readonly string[]): string {
    const { onnx, layout, output } = this.params;
    const { input, output: chosen, columns, taps } = this.parts;
    const fed = { layout, output, pixels: input.pixels, value: chosen?.value, columns: columns?.numbers };
    const bytes = readBytes(onnx);
    const digest = createHash('sha256')
      .update(JSON.stringify([fed, this.student.input, tapsCalled(names, taps)]))
      .update(bytes);
    for (const file of weightFiles(onnx, bytes)) digest.update(readBytes(file));
    return digest.digest('hex');
  }

  async quantized(images: AsyncIterable<StoredImages>): Promise<Teacher> {
    const { onnx } = this.params;
    const { output, input } = this.parts;
    const prepare = await preparing(this.student, input, this.context);
    const how = { ...this.preparation, prepare };
    const [, ...image] = fixedInput(input).shape;
    const graph = quantizable(() =>
      evaluatedOnnx(ForeignNetwork.read(onnx, output!.value), [input.batch ?? 1, ...image]),
    );
    const feeds = async function* () {
      for await (const batch of images) {
        for await (const { prepared } of pieces(batch, how)) yield { images: prepared };
      }
    };
    const { session, identity } = await int8Program(graph, new Map(), feeds(), this.context);
    const runner = Runner.around(session, onnx, output!.value, how);
    const digest = createHash('sha256')
      .update(this.identity(['logits']))
      .update(identity)
      .digest('hex');
    return {
      ...logitsTeacher(this.student.options.classes, {
        logits: async (batch) => this.classLogits((await this.values(runner, batch))[0]!),
        release: async () => {
          await runner.release();
          await prepare.release();
        },
      }),
      identity: () => digest,
    };
  }

  /** Throws a UserError if what it says of some images is not what params.json says that it is. */
  async tryOn(images: StoredImages): Promise<void> {
    const { onnx } = this.params;
    const program = await this.program([this.parts.output ? 'logits' : 'pooled']);
    for (const remark of program.runner.remarks) this.context.log('warn', `${onnx}: ${remark}`);
    const [values] = await this.values(program.runner, images);
    if (this.parts.output) checkOutput(this.params, values!);
  }

  async release(): Promise<void> {
    for (const program of this.programs.values()) {
      const { runner, forms } = await program;
      await runner.release();
      await forms?.release();
    }
    await this.prepare.release();
  }

  private program(names: readonly string[]): Promise<Program> {
    const key = names.join();
    const program = this.programs.get(key) ?? this.compile(names);
    this.programs.set(key, program);
    return program;
  }

  private async compile(names: readonly string[]): Promise<Program> {
    const { taps, output } = this.parts;
    const own = new Map(tapsCalled(names, taps));
    const values = [...own.values()].map(({ value, dtype }) => ({ name: value, dtype }));
    const all = names.includes('logits') ? [output!.value, ...values] : values;
    const wanted = [...new Map(all.map((value) => [value.name, value])).values()];
    const runner = await Runner.open(this.params.onnx, wanted, this.preparation, this.context);
    const { threads, backend } = this.context;
    const forms =
      own.size > 0 ? await Session.create(formsOf(own), { threads, backend, dynamicBatch: true }) : undefined;
    return { wanted, runner, forms };
  }

  private get preparation() {
    return { input: this.parts.input, prepare: this.prepare, stored: this.student.input };
  }

  private values(runner: Runner, images: StoredImages): Promise<NdArray<'float32'>[]> {
    return runner.run(images, ({ name }, shape, rows) => {
      if (name === this.parts.output?.value.name) this.checkColumns(shape, rows);
    });
  }

  /** The columns of the data set's classes, as logits. */
  private classLogits({ shape, data }: NdArray<'float32'>): NdArray<'float32'> {
    const { columns } = this.parts;
    const [rows = 0] = shape;
    const count = data.length / Math.max(1, rows);
    const { numbers = Array.from({ length: count }, (_, column) => column) } = columns ?? {};
    const chosen = ndarray('float32', [rows, numbers.length]);
    const isLog = this.params.output === 'probabilities';
    chosen.data.forEach((_, i) => {
      const value = data[Math.floor(i / numbers.length) * count + numbers[i % numbers.length]!]!;
      chosen.data[i] = isLog ? Math.log(Math.max(value, TINY)) : value;
    });
    return chosen;
  }

  private checkColumns(shape: readonly number[], rows: number): void {
    const { columns, output } = this.parts;
    const found = shape.reduce((product, length) => product * length, 1) / rows;
    const least = columns ? Math.max(...columns.numbers) + 1 : this.student.options.classes;
    const count = columns?.count ?? (columns && Number.isInteger(found) ? Math.max(found, least) : least);
    if (found === count && shape[0] === rows) return;
    throw new UserError(
      `${this.params.onnx}: outputs ${quoted(output!.name)} with shape [${shape.join(', ')}] for ${counted(rows, 'image')}, ` +
        `accepted is [${rows}, ${columns && columns.count === undefined ? `${least} or more` : count}]`,
    );
  }
}

/** The graph of a network that is to be quantized; a UserError says what to do if there is none. */
function quantizable(build: () => Graph): Graph {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}; or set "teacher_precision" to "float32"`);
  }
}

function tapsCalled(names: readonly string[], taps: Parts['taps']): [name: string, tap: TeacherTap][] {
  return [...taps].filter(([name]) => names.includes(name));
}

export const onnxFile: TeacherEntry<OnnxTeacherParams> = {
  options: onnxOptions,
  load: onnxTeacher,
  fileOf: ({ onnx }) => onnx,
  whatToCheck: () => '"layout", "channels", "range", "normalize" and the order of its classes, which "classes" changes',
};
