/** The effective params of a run as tables have them. */
import type { Scalar } from '../utils/flatten';

/** Flattened params in which a teacher by its name alone, which params.json has most often, is `teacher`; changes `resolved`. */
export function tabular(resolved: Map<string, Scalar>): Map<string, Scalar> {
  const teacher = resolved.get('teacher.model');
  if (teacher !== undefined) {
    resolved.set('teacher', teacher);
    resolved.delete('teacher.model');
  }
  return resolved;
}
