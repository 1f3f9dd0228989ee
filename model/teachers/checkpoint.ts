/** A teacher that is one of our networks, in evaluation mode, with weights from a checkpoint. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { writeModel } from '../../engine/onnx/write';
import { Session } from '../../engine/session';
import { matchStateDict, readWeights } from '../../formats/checkpoints';
import { bytesOf, ndarray, type NamedArrays, type NdArray } from '../../formats/ndarray';
import { weightFiles } from '../../runs/files';
import { formerNames } from '../../utils/aliases';
import { UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
import { isModulePath } from '../../utils/own_module';
import { oneOf, text } from '../../utils/schema_forms';
import { checkNormalize } from '../data/dataset';
import type { Batch } from '../data/loader';
import { normalizeSchema, type NormalizeParams } from '../data/normalize';
import { ofStudent } from '../distillers/states';
import { netAliases, netCalled, nets } from '../nets';
import { evaluationGraph, outputsGraph, outputShapes, specsOf, type Model, type TrainedModel } from '../nets/model';
import {
  architectureOf,
  architectureOptions,
  imageSide,
  netOptions,
  readNetOptions,
  type ArchitectureParams,
} from '../nets/net_params';
import { moduleOptions } from '../nets/own_net';
import { weightsOptions, type WeightsParams } from '../nets/weights_params';
import { int8Program } from './int8_program';
import { logitsTeacher, type StoredImages, type Teacher, type TeacherContext, type TeacherEntry } from './teacher';

/** A net with a checkpoint. */
export interface CheckpointTeacherParams extends WeightsParams, ArchitectureParams {
  /** A name, or the path of a module. */
  readonly model: string;
  /** Options of a network in a module. */
  readonly model_options?: Readonly<Record<string, unknown>>;
  /** Path of its weights; the best ones of experiments/base_<model> by default. */
  readonly checkpoint?: string;
  /** Side of its images in pixels; that of the student's by default. */
  readonly size?: number;
  /** The student's by default. */
  readonly normalize?: NormalizeParams;
}

/** Loads the weights for the classes and images of `student`; uses the teacher's own normalization if given. */
async function checkpointTeacher(
  teacher: CheckpointTeacherParams,
  student: Model,
  context: Pick<TeacherContext, 'threads' | 'backend' | 'profile' | 'log'>,
): Promise<Teacher> {
  const { build, aliases } = netCalled(teacher.model, teacher.model_options);
  const { size, skip, key, rename } = teacher;
  const model: Model = {
    net: build,
    aliases,
    options: readNetOptions(architectureOf(teacher), student.options.classes),
    normalize: teacher.normalize ?? student.normalize,
    input: size === undefined ? student.input : [student.input[0], size, size],
    stored: student.input,
  };
  const path = checkpointOf(teacher);
  const log = (line: string) => context.log('info', line);
  const graph = evaluationGraph(model);
  const expected = specsOf(graph);
  const found = ofStudent(await readWeights(path, { key, log }));
  const fitting = matchStateDict(path, found, expected, { skip, skipKey: 'teacher.skip', rename, aliases, log });
  // What "skip" leaves out stays random; nothing else is drawn, as that takes longer than reading the file.
  const weights: NamedArrays = new Map(
    [...expected.keys()].map((name) => [name, fitting.get(name) ?? graph.states.get(name)!.initial()]),
  );
  if (weights.size > fitting.size) {
    log(`Teacher ${path}: ${weights.size - fitting.size} of its ${weights.size} tensors are random because of "skip"`);
  }
  for (const [name, { data }] of weights) {
    if (data instanceof Float32Array && !data.every(Number.isFinite)) {
      throw new UserError(`${path}: ${name} has a value that is not finite`);
    }
  }
  return new CheckpointTeacher(model, weights, context);
}

class CheckpointTeacher implements Teacher {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Absent if the teacher sees images of another size than the student: gradients cannot flow through it. */
  readonly network?: TrainedModel;
  /** One for each requested set of outputs. */
  private readonly sessions = new Map<string, Promise<Session>>();

  constructor(
    private readonly model: Model,
    private readonly weights: NamedArrays,
    private readonly context: Pick<TeacherContext, 'threads' | 'backend' | 'profile'>,
  ) {
    const { input, stored = input } = model;
    if (input.join() === stored.join()) this.network = { model, weights };
    this.shapes = outputShapes(model);
  }

  async logits(batch: Batch): Promise<NdArray> {
    return (await this.outputs(batch, ['logits'])).logits!;
  }

  async outputs({ images, size }: Batch, names: readonly string[]): Promise<Record<string, NdArray>> {
    const { model, weights } = this;
    const { threads, backend, profile } = this.context;
    const key = names.join();
    const session =
      this.sessions.get(key) ??
      Session.create(outputsGraph(model, names), { threads, backend, profile, frozen: weights, dynamicBatch: true });
    this.sessions.set(key, session);
    return (await session).run(this.feeds({ images, size }));
  }

  async quantized(images: AsyncIterable<StoredImages>): Promise<Teacher> {
    const { model, weights, network, context } = this;
    const { session, identity } = await int8Program(
      outputsGraph(model, ['logits']),
      weights,
      this.allFeeds(images),
      context,
    );
    return {
      ...logitsTeacher(model.options.classes, {
        logits: async (batch) => (await session.run(this.feeds(batch))).logits!,
        release: () => session.release(),
      }),
      ...(network && { network }),
      identity: () => identity,
    };
  }

  /** A digest of the graph and its weights. */
  identity(names: readonly string[]): string {
    const { model, weights } = this;
    const digest = createHash('sha256').update(writeModel(outputsGraph(model, names), { dynamicBatch: true }));
    for (const [name, array] of weights) digest.update(`${name}${array.shape.join()}`).update(bytesOf(array));
    return digest.digest('hex');
  }

  async release(): Promise<void> {
    for (const session of this.sessions.values()) await (await session).release();
    this.sessions.clear();
  }

  private async *allFeeds(images: AsyncIterable<StoredImages>): AsyncGenerator<Record<string, NdArray>> {
    for await (const batch of images) yield this.feeds(batch);
  }

  private feeds({ images, size }: StoredImages): Record<string, NdArray> {
    const { input, stored = input } = this.model;
    return { images: ndarray('uint8', [size, ...stored], images) };
  }
}

/** The named checkpoint, or the best weights of the teacher's own experiment. */
export function checkpointOf({ model, checkpoint }: CheckpointTeacherParams): string {
  if (checkpoint !== undefined) return checkpoint;
  const directories = [model, ...formerNames(model, netAliases)].map((name) => join('experiments', `base_${name}`));
  const directory = directories.find(isThere) ?? directories[0]!;
  const [, foreign] = weightFiles('best');
  const candidates = weightFiles('best').map((file) => join(directory, file));
  const found = candidates.find(isThere);
  if (!found) {
    throw new UserError(
      `${candidates[0]}: no such file, nor ${foreign}: train the teacher with --model_dir ${directory}, ` +
        `or name a checkpoint in "teacher": { "model": "${model}", "checkpoint": … }`,
    );
  }
  return found;
}

const { hidden_sizes: hidden, dropout_rate: dropout } = netOptions;

export const networkTeacher: TeacherEntry<CheckpointTeacherParams> = {
  options: ({ model } = {}) => ({
    model: oneOf([...Object.keys(nets), ...(isModulePath(model) ? [model] : [])], {
      aliases: netAliases,
      title: 'The network: a name, or the path of a module.',
    }),
    ...moduleOptions(model, 'Options of a teacher from a module, which the module declares.'),
    checkpoint: text({
      title: 'File of its weights; by default the best ones of `experiments/base_<model>`.',
    }),
    ...weightsOptions,
    size: imageSide('Side of its images in pixels; by default that of the images.'),
    normalize: normalizeSchema('Mean and standard deviation of its channels; by default those of the student.'),
    ...architectureOptions,
    hidden_sizes: {
      ...hidden,
      default: undefined,
      title: 'Units of the hidden layers of `mlp`; 1200 and 1200 by default.',
    },
    dropout_rate: { ...dropout, default: undefined, title: 'Accepted and ignored: a teacher is only evaluated.' },
  }),
  load: (params, student, dataset, context) => {
    checkNormalize(`the teacher ${params.model}`, params.normalize, dataset);
    return checkpointTeacher(params, student, context);
  },
  fileOf: checkpointOf,
  whatToCheck: () => '"normalize" and the order of its classes',
};
