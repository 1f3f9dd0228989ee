/** Which states of a step are the student's, and which of layers that a method trains beside it. */
import { OPTIMIZER_PREFIX } from '../../engine/optimizers/index';
import type { NamedArrays } from '../../formats/ndarray';

/** Where layers that are trained beside the student live among the states of a graph. */
export const DISTILLER_PREFIX = 'distiller.';

/** Is a state the student's own, and not the optimizer's or of layers beside it? */
export function isOfStudent(name: string): boolean {
  return !name.startsWith(OPTIMIZER_PREFIX) && !name.startsWith(DISTILLER_PREFIX);
}

/** The weights of the student alone. */
export function ofStudent(weights: NamedArrays): NamedArrays {
  return new Map([...weights].filter(([name]) => isOfStudent(name)));
}
