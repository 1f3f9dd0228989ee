/** The kinds of teachers: a network with a checkpoint, any ONNX file, cached logits, several of them. */
import type { TeacherParams } from '../../utils/params';
import type { Dataset } from '../data/dataset';
import type { Model } from '../programs';
import { cachedTeacher } from './cached';
import { checkpointTeacher } from './checkpoint';
import { ensemble } from './ensemble';
import { onnxTeacher } from './onnx';
import type { Teacher, TeacherContext } from './teacher';

export type { Teacher, TeacherContext } from './teacher';

/** Loads a teacher, or the mean of several, for a student on the training images of a data set. */
export async function loadTeacher(
  teacher: TeacherParams | TeacherParams[],
  student: Model,
  dataset: Dataset,
  context: TeacherContext,
): Promise<Teacher> {
  if (Array.isArray(teacher)) {
    const members: Teacher[] = [];
    for (const one of teacher) members.push(await loadTeacher(one, student, dataset, context));
    return ensemble(members);
  }
  if ('onnx' in teacher) return onnxTeacher(teacher, student, dataset, context);
  if ('logits' in teacher) return cachedTeacher(teacher, dataset, context);
  return checkpointTeacher(teacher, student, context.threads);
}
