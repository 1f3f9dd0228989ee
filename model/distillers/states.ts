/** Separates the student's states from those of layers that a method trains in addition. */
import { OPTIMIZER_PREFIX } from '../../engine/optimizers/index';
import type { NamedArrays } from '../../formats/ndarray';

/** Prefix of the states of layers that are trained in addition to the student. */
export const DISTILLER_PREFIX = 'distiller.';

/** Whether a state belongs to the student, not to the optimizer or additional layers. */
export function isOfStudent(name: string): boolean {
  return !name.startsWith(OPTIMIZER_PREFIX) && !name.startsWith(DISTILLER_PREFIX);
}

/** The weights of the student alone. */
export function ofStudent(weights: NamedArrays): NamedArrays {
  return new Map([...weights].filter(([name]) => isOfStudent(name)));
}
