/** The loss of the methods of a run on images that it does not train on: what weights are judged by where images have no labels. */
import type { Backend } from '../../engine/backends/index';
import { Session } from '../../engine/session';
import { ndarray, type NamedArrays } from '../../formats/ndarray';
import type { Split } from '../data/dataset';
import { batchSizesOf, loadBatches, plainPass } from '../data/loader';
import type { Model } from '../nets/model';
import type { Teacher } from '../teachers/index';
import { lossGraph, TEACHER_PREFIX, type TrainingOptions } from './step_graph';

export interface HeldOutOptions extends Omit<TrainingOptions, 'batchSize' | 'largestBatch' | 'teacher'> {
  readonly teacher: Teacher;
  readonly threads: number;
  readonly backend?: Backend | undefined;
}

/** The mean over the examples `indices` of a split, without augmentation; `weights` are those of the student and of the layers beside it. */
export async function heldOutLoss(
  model: Model,
  options: HeldOutOptions,
  weights: NamedArrays,
  { split, indices }: { readonly split: Split; readonly indices: Uint32Array },
): Promise<number> {
  const { teacher, threads, backend } = options;
  const pass = plainPass(model.input);
  const [largestBatch, ...rest] = batchSizesOf(indices.length, pass.batchSize);
  const sessions = new Map<number, Session>();
  let wanted: string[] = [];
  for (const batchSize of [largestBatch, ...rest]) {
    const graph = lossGraph(model, { ...options, batchSize, largestBatch });
    wanted = [...graph.inputs.keys()].filter((name) => name.startsWith(TEACHER_PREFIX));
    sessions.set(batchSize, await Session.create(graph, { threads, backend, frozen: weights }));
  }
  try {
    let sum = 0;
    for await (const batch of loadBatches(split, indices, pass)) {
      const names = wanted.map((name) => name.slice(TEACHER_PREFIX.length));
      const outputs = await teacher.outputs(batch, names);
      const { loss } = await sessions.get(batch.size)!.run({
        images: ndarray('uint8', [batch.size, ...model.input], batch.images),
        ...Object.fromEntries(names.map((name) => [TEACHER_PREFIX + name, outputs[name]!])),
      });
      sum += Number(loss!.data[0]) * batch.size;
    }
    return sum / indices.length;
  } finally {
    for (const session of sessions.values()) await session.release();
  }
}
