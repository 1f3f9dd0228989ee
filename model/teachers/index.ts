/** The kinds of teachers by the key of params.json that all of a kind have. */
import { UserError } from '../../utils/errors';
import { mistakes } from '../../utils/schema';
import { object } from '../../utils/schema_forms';
import type { Dataset } from '../data/dataset';
import type { Model } from '../nets/model';
import { logitsFile } from './cached';
import { networkTeacher } from './checkpoint';
import { ensemble } from './ensemble';
import { onnxFile } from './onnx';
import type { Teacher, TeacherContext, TeacherEntry } from './teacher';

export { hasLogits, type Teacher, type TeacherContext, type TeacherEntry } from './teacher';

const entries = { model: networkTeacher, onnx: onnxFile, logits: logitsFile };

type Entries = typeof entries;

type ParamsOf = { [Key in keyof Entries]: Entries[Key] extends TeacherEntry<infer Params> ? Params : never };

/** A teacher in params.json, filled. */
export type TeacherParams = ParamsOf[keyof Entries];

/** A teacher by the key of its kind, with those of its options that are not left at their defaults. */
export type TeacherSpec = {
  [Key in keyof Entries]: Partial<ParamsOf[Key]> & Required<Pick<ParamsOf[Key], Key & keyof ParamsOf[Key]>>;
}[keyof Entries];

export const teachers: Readonly<Record<keyof Entries, TeacherEntry>> = entries;

/** The kind of a teacher. */
export function teacherEntry(teacher: TeacherParams): TeacherEntry {
  return teachers[keyOf(teacher)];
}

function keyOf(teacher: TeacherSpec): keyof Entries {
  const keys = Object.keys(entries) as (keyof Entries)[];
  const key = keys.find((one) => one in teacher);
  if (key === undefined) throw new UserError(`loadTeacher: a teacher has one of the keys ${keys.join(', ')}`);
  return key;
}

/**
 * Loads a teacher, or the mean of several, for a student on the training images of a data set. Throws a UserError for a wrong option
 * or file.
 */
export async function loadTeacher(
  teacher: TeacherSpec | readonly TeacherSpec[],
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
  const key = keyOf(teacher);
  const entry = teachers[key];
  const filled = { ...teacher };
  const lines = mistakes(object(entry.options(filled), [key]), filled);
  if (lines.length > 0) throw new UserError(lines.map((line) => `loadTeacher: ${line}`).join('\n'));
  const loaded = await entry.load(filled, student, dataset, context);
  return entry.isCached ? loaded : (context.cache?.around(loaded) ?? loaded);
}

function isList(teacher: TeacherSpec | readonly TeacherSpec[]): teacher is readonly TeacherSpec[] {
  return Array.isArray(teacher);
}

/** Whether a teacher, or one of several, is known by its logits of training images only: it cannot be asked about others. */
export function hasCachedLogits(teacher: 'none' | TeacherParams | readonly TeacherParams[]): boolean {
  return [teacher].flat().some((one) => one !== 'none' && teacherEntry(one).isCached);
}
