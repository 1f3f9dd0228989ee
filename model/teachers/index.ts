/** The kinds of teachers: a network with a checkpoint, any ONNX file, cached logits, several of them. */
import type { TeacherParams } from '../experiment/params';
import { checkNormalize, type Dataset } from '../data/dataset';
import type { Model } from '../nets/model';
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
    for (const [i, one] of teacher.entries()) {
      const profile = context.profile && `${context.profile}_${i}`;
      members.push(await loadTeacher(one, student, dataset, { ...context, profile }));
    }
    return ensemble(members);
  }
  if ('logits' in teacher) return cachedTeacher(teacher, dataset);
  if ('model' in teacher) checkNormalize(`the teacher ${teacher.model}`, teacher.normalize, dataset);
  const loaded =
    'onnx' in teacher
      ? await onnxTeacher(teacher, student, dataset, context)
      : await checkpointTeacher(teacher, student, context);
  return context.cache?.around(loaded) ?? loaded;
}
