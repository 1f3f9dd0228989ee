/** The pruners that search.json can name. */
import { asha } from './asha';
import { hyperband } from './hyperband';
import { median } from './median';
import { none } from './none';
import type { Curve, Pruner, PrunerKind } from './pruner';

export type { Curve, Pruner } from './pruner';

export const pruners = { none, median, asha, hyperband };

type Pruners = typeof pruners;
export type PrunerName = keyof Pruners;

/** A pruner by its name, with its options filled. */
export type PrunerSettings = {
  [Name in PrunerName]: { readonly name: Name } & (Pruners[Name] extends PrunerKind<infer Options> ? Options : never);
}[PrunerName];

export function createPruner(settings: PrunerSettings, seed: number): Pruner {
  const kind = pruners[settings.name] as { create(options: PrunerSettings, seed: number): Pruner };
  return kind.create(settings, seed);
}

/**
 * The first epoch after `asked` at which a pruner stops a trial, asked for each epoch in turn, or undefined: for a curve
 * that has grown by several epochs since it was last looked at.
 */
export function pruningEpoch(
  pruner: Pruner,
  trial: Curve,
  asked: number,
  others: readonly Curve[],
): number | undefined {
  for (let epoch = asked + 1; epoch <= trial.values.length; epoch++) {
    if (pruner.shouldPrune({ ...trial, values: trial.values.slice(0, epoch) }, others)) return epoch;
  }
  return undefined;
}
