/** A student alone: cross-entropy with the labels. */
import type { Distiller } from './distiller';

export const nokd: Distiller = {
  title: 'Cross-entropy with the labels alone',
  options: {},
  needsTeacher: false,
  losses: () => ({}),
};
