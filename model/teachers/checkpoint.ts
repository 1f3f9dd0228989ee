/** A teacher that is one of the networks here, in evaluation mode, with weights from a checkpoint. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { writeModel } from '../../engine/onnx/write';
import { Session } from '../../engine/session';
import { fitWeights, readWeights } from '../../utils/checkpoints';
import { UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
import { bytesOf, ndarray, type NamedArrays, type NdArray } from '../../utils/ndarray';
import type { CheckpointTeacherParams } from '../../utils/params';
import type { Batch } from '../data/loader';
import { nets } from '../nets';
import { evaluationGraph, outputsGraph, outputShapes, shapesOf, type Model } from '../programs';
import type { Teacher, TeacherContext } from './teacher';

/** Loads the weights for the classes and images of `student`; the normalisation is the teacher's own where given. */
export async function checkpointTeacher(
  teacher: CheckpointTeacherParams,
  student: Model,
  context: Pick<TeacherContext, 'threads' | 'backend' | 'profile'>,
): Promise<Teacher> {
  const model: Model = {
    net: nets[teacher.model]!.build,
    options: {
      classes: student.options.classes,
      numChannels: teacher.num_channels,
      dropoutRate: 0,
      hiddenSizes: teacher.hidden_sizes,
    },
    normalize: teacher.normalize ?? student.normalize,
    input: student.input,
  };
  const path = checkpointOf(teacher);
  const weights = fitWeights(path, await readWeights(path), shapesOf(evaluationGraph(model)));
  for (const [name, { data }] of weights) {
    if (data instanceof Float32Array && !data.every(Number.isFinite)) {
      throw new UserError(`${path}: ${name} has a value that is not finite`);
    }
  }
  return new CheckpointTeacher(model, weights, context);
}

class CheckpointTeacher implements Teacher {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly network: NonNullable<Teacher['network']>;
  /** One for each set of outputs that was asked for. */
  private readonly sessions = new Map<string, Promise<Session>>();

  constructor(
    model: Model,
    weights: NamedArrays,
    private readonly context: Pick<TeacherContext, 'threads' | 'backend' | 'profile'>,
  ) {
    this.network = { model, weights };
    this.shapes = outputShapes(model);
  }

  async logits(batch: Batch): Promise<NdArray> {
    return (await this.outputs(batch, ['logits'])).logits!;
  }

  async outputs({ images, size }: Batch, names: readonly string[]): Promise<Record<string, NdArray>> {
    const { model, weights } = this.network;
    const { threads, backend, profile } = this.context;
    const key = names.join();
    const session =
      this.sessions.get(key) ??
      Session.create(outputsGraph(model, names), { threads, backend, profile, frozen: weights, dynamicBatch: true });
    this.sessions.set(key, session);
    return (await session).run({ images: ndarray('uint8', [size, ...model.input], images) });
  }

  /** Of the graph and of the weights in it. */
  identity(names: readonly string[]): string {
    const { model, weights } = this.network;
    const digest = createHash('sha256').update(writeModel(outputsGraph(model, names), { dynamicBatch: true }));
    for (const [name, array] of weights) digest.update(`${name}${array.shape.join()}`).update(bytesOf(array));
    return digest.digest('hex');
  }

  async release(): Promise<void> {
    for (const session of this.sessions.values()) await (await session).release();
  }
}

/** The named checkpoint, or the best weights of the teacher's own experiment. */
export function checkpointOf({ model, checkpoint }: CheckpointTeacherParams): string {
  if (checkpoint !== undefined) return checkpoint;
  const directory = join('experiments', `base_${model}`);
  const candidates = ['best.safetensors', 'best.pth.tar'].map((file) => join(directory, file));
  const found = candidates.find(isThere);
  if (!found) {
    throw new UserError(
      `${candidates[0]}: no such file, nor best.pth.tar: train the teacher with --model_dir ${directory}, ` +
        `or name a checkpoint in "teacher": { "model": "${model}", "checkpoint": … }`,
    );
  }
  return found;
}
