/** Every trial runs to its end. */
import type { PrunerKind } from './pruner';

export const none: PrunerKind<Readonly<Record<never, never>>> = {
  options: {},
  create: () => ({ shouldPrune: () => false }),
};
