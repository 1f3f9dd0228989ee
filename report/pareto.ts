/** Networks that no other beats in cost and score at once. */

/** Which end of a score is the good one, in the words of search.json. */
export type Goal = 'maximize' | 'minimize';

export interface Candidate {
  /** Parameters, operations, milliseconds: the less the better. */
  readonly cost: number;
  readonly score: number;
}

/**
 * Indices of the candidates that are not dominated, from the cheapest to the dearest. One is dominated where another costs
 * no more and scores no worse, and is better in one of the two; of equals all stay. NaN never counts.
 */
export function paretoFront(candidates: readonly Candidate[], goal: Goal): number[] {
  const sign = goal === 'maximize' ? 1 : -1;
  const known = candidates
    .map(({ cost, score }, index) => ({ index, cost, score: sign * score }))
    .filter(({ cost, score }) => !Number.isNaN(cost) && !Number.isNaN(score))
    .sort((a, b) => a.cost - b.cost || b.score - a.score || a.index - b.index);
  const front: typeof known = [];
  for (const one of known) {
    const best = front.at(-1);
    const isEqual = best !== undefined && one.cost === best.cost && one.score === best.score;
    if (best === undefined || one.score > best.score || isEqual) front.push(one);
  }
  return front.map(({ index }) => index);
}
