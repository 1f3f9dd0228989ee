/** A teacher: a network with a checkpoint, in evaluation mode, on the very pixels that the student sees. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Graph } from '../engine/graph';
import { fitWeights, readWeights } from '../utils/checkpoints';
import { UserError } from '../utils/errors';
import type { TeacherParams } from '../utils/params';
import { Evaluator } from './evaluation';
import { nets } from './nets';
import { evaluationGraph, type Model } from './programs';

/** Loads a teacher for the classes and images of `student`; its normalisation is its own where params give one. */
export async function loadTeacher(teacher: TeacherParams, student: Model, threads: number): Promise<Evaluator> {
  const model: Model = {
    net: nets[teacher.model]!.build,
    options: { classes: student.options.classes, numChannels: teacher.num_channels, dropoutRate: 0 },
    normalize: teacher.normalize ?? student.normalize,
    input: student.input,
  };
  const path = checkpointOf(teacher);
  const weights = fitWeights(path, await readWeights(path), shapesOf(evaluationGraph(model)));
  return Evaluator.create(model, weights, threads);
}

/** Names and shapes of a graph's parameters and buffers, in PyTorch's order. */
export function shapesOf(graph: Graph): Map<string, readonly number[]> {
  return new Map([...graph.states].map(([name, { tensor }]) => [name, tensor.shape]));
}

/** The named checkpoint, or the best weights of the teacher's own experiment. */
function checkpointOf({ model, checkpoint }: TeacherParams): string {
  if (checkpoint !== undefined) return checkpoint;
  const directory = join('experiments', `base_${model}`);
  const candidates = ['best.safetensors', 'best.pth.tar'].map((file) => join(directory, file));
  const found = candidates.find((path) => existsSync(path));
  if (!found) {
    throw new UserError(
      `${candidates[0]}: no such file, nor best.pth.tar: train the teacher with --model_dir ${directory}, ` +
        `or name a checkpoint in "teacher": { "model": "${model}", "checkpoint": … }`,
    );
  }
  return found;
}
