/**
 * Hyperband (Li and others 2018, "Hyperband: a novel bandit-based approach to hyperparameter optimization") over
 * asynchronous successive halving, as in Optuna: trials are dealt to brackets that stop them from different epochs on,
 * so that those that start slowly have a chance.
 */
import { Random } from '../../utils/random';
import { halving } from './asha';
import { hasDiverged, longestComplete, type Curve, type PrunerKind } from './pruner';

export type HyperbandOptions = {
  readonly min_epochs: number;
  /** Absent: the length of the longest complete trial, and nothing is stopped before there is one. */
  readonly max_epochs?: number;
  /** η */
  readonly reduction_factor: number;
};

export const hyperband: PrunerKind<HyperbandOptions> = {
  options: {
    min_epochs: { type: 'integer', minimum: 1, default: 1 },
    max_epochs: { type: 'integer', minimum: 1 },
    reduction_factor: { type: 'integer', minimum: 2, default: 3 },
  },
  create: ({ min_epochs, max_epochs, reduction_factor }, seed) => {
    const random = new Random(seed, 'search.hyperband');
    return {
      shouldPrune: (trial, others) => {
        if (hasDiverged(trial)) return true;
        const longest = max_epochs ?? longestComplete(others);
        if (longest === undefined) return false;
        const shares = bracketShares(longest / min_epochs, reduction_factor);
        const bracketOf = ({ number }: Curve) => bracketAt(shares, random.uniform(number));
        const bracket = bracketOf(trial);
        const rivals = others.filter((other) => bracketOf(other) === bracket);
        return halving(min_epochs * reduction_factor ** bracket, reduction_factor).shouldPrune(trial, rivals);
      },
    };
  },
};

/**
 * The relative numbers of trials of the brackets s = 0 … S − 1, whose first rungs are at min_epochs · η^s, with
 * S = ⌊log_η ratio⌋ + 1 for ratio = max_epochs / min_epochs: ⌈S · η^(S−1−s) / (S − s)⌉.
 */
export function bracketShares(ratio: number, factor: number): number[] {
  let count = 1;
  while (factor ** count <= ratio) count++;
  return Array.from({ length: count }, (_, s) => Math.ceil((count * factor ** (count - 1 - s)) / (count - s)));
}

/** The bracket in whose share of [0, 1) `u` lies. */
function bracketAt(shares: readonly number[], u: number): number {
  let rest = u * shares.reduce((a, b) => a + b);
  return shares.findIndex((share) => (rest -= share) < 0);
}
