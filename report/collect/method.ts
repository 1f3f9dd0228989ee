/** How a run was trained, as its params say. */
import type { Flat, Scalar } from '../../utils/flatten';
import { isObject, parseJson } from '../../utils/json';
import type { Run } from './run';

/** The names of a run's methods; without any, the name of the model tells whether it is distilled. */
export function methodOf(params: Flat): Scalar | undefined {
  const method = params.get('method') ?? params.get('method.name');
  if (typeof method === 'string' && method.startsWith('[')) return namesOf(method);
  const version = params.get('model_version');
  if (method !== undefined || version === undefined) return method;
  return String(version).includes('distill') ? 'kd' : 'nokd';
}

/** The names in a list of methods; any other text is unchanged. */
function namesOf(list: string): string {
  const nameOf = (one: unknown) => (isObject(one) ? one.name : one);
  try {
    const names = (parseJson(list) as unknown[]).map(nameOf);
    return names.every((name) => typeof name === 'string') ? names.join(' + ') : list;
  } catch {
    return list;
  }
}

/** Whether a run was trained with a teacher. */
export function hasTeacher({ params, teacher }: Pick<Run, 'params' | 'teacher'>): boolean {
  const isNamed = [...params].some(([key, value]) =>
    key === 'teacher' ? value !== 'none' : key.startsWith('teacher.'),
  );
  return teacher !== undefined || (isNamed && methodOf(params) !== 'nokd');
}
