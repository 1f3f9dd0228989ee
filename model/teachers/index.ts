/** The kinds of teachers by the key of params.json that all of a kind have. */
import type { Dataset } from '../data/dataset';
import type { Model } from '../nets/model';
import { logitsFile } from './cached';
import { networkTeacher } from './checkpoint';
import { ensemble } from './ensemble';
import { onnxFile } from './onnx';
import type { Teacher, TeacherContext, TeacherEntry } from './teacher';

export type { Teacher, TeacherContext, TeacherEntry } from './teacher';

const entries = { model: networkTeacher, onnx: onnxFile, logits: logitsFile };

type Entries = typeof entries;

/** A teacher in params.json, filled. */
export type TeacherParams = {
  [Key in keyof Entries]: Entries[Key] extends TeacherEntry<infer Params> ? Params : never;
}[keyof Entries];

export const teachers: Readonly<Record<keyof Entries, TeacherEntry>> = entries;

/** The kind of a teacher. */
export function teacherEntry(teacher: TeacherParams): TeacherEntry {
  const key = Object.keys(entries).find((one) => one in teacher) as keyof Entries;
  return teachers[key];
}

/** Loads a teacher, or the mean of several, for a student on the training images of a data set. */
export async function loadTeacher(
  teacher: TeacherParams | readonly TeacherParams[],
  student: Model,
  dataset: Dataset,
  context: TeacherContext,
): Promise<Teacher> {
  if (isList(teacher)) {
    const members: Teacher[] = [];
    for (const [i, one] of teacher.entries()) {
      const profile = context.profile && `${context.profile}_${i}`;
      members.push(await loadTeacher(one, student, dataset, { ...context, profile }));
    }
    return ensemble(members);
  }
  const { isCached = false, load } = teacherEntry(teacher);
  const loaded = await load(teacher, student, dataset, context);
  return isCached ? loaded : (context.cache?.around(loaded) ?? loaded);
}

function isList(teacher: TeacherParams | readonly TeacherParams[]): teacher is readonly TeacherParams[] {
  return Array.isArray(teacher);
}

/** Whether a teacher, or one of several, is known by its logits of training images only: it cannot be asked about others. */
export function hasCachedLogits(teacher: 'none' | TeacherParams | readonly TeacherParams[]): boolean {
  return [teacher].flat().some((one) => one !== 'none' && teacherEntry(one).isCached);
}
