/** The effective params of a run: every key with its value, including keys that params.json omits. */
import { checkpointOf, type CheckpointTeacherParams } from '../teachers/checkpoint';
import { needsTeacher } from './experiment';
import type { Params } from './params';

/** The meaning of a key that is still absent after defaults are filled in. */
const whereAbsent = {
  label_smoothing: 0,
  label_noise: 0,
  sampling: 'shuffled',
  accumulate: 1,
  on_nan: 'stop',
  teacher_cache_gigabytes: 10,
  teacher_precision: 'float32',
  device: 'auto',
  precision: 'float32',
} as const satisfies Partial<Params>;

/** The params with keys filled in that have a meaning when absent. */
export function withImplied(params: Params): Params {
  return { ...whereAbsent, ...params };
}

/**
 * The params with such keys filled in, so that two experiments are equal if they train the same, whether defaults are
 * written out or not. A single method is an object, not a list of one; a teacher has the path of its checkpoint.
 */
export function resolvedParams(params: Params): Record<string, unknown> {
  const { method, teacher, freeze, freeze_batch_norm: norms = 'eval' } = params;
  const teachers = needsTeacher(params) ? [teacher].flat().map(withCheckpoint) : [teacher].flat();
  return {
    ...withImplied(params),
    method: method.length === 1 ? method[0] : method,
    teacher: teachers.length === 1 ? teachers[0] : teachers,
    ...(freeze && { freeze_batch_norm: norms }),
  };
}

function withCheckpoint(teacher: 'none' | object): 'none' | object {
  if (teacher === 'none' || !('model' in teacher)) return teacher;
  return { ...teacher, checkpoint: checkpointOf(teacher as CheckpointTeacherParams) };
}
