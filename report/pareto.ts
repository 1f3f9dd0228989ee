/** The Pareto front: networks that no other beats in both cost and score. */

/** The direction of a score, in the words of search.json. */
export type Goal = 'maximize' | 'minimize';

export interface Candidate {
  /** Parameters, operations or milliseconds: lower is better. */
  readonly cost: number;
  readonly score: number;
}

/**
 * Indices of the candidates that are not dominated, by ascending cost. A candidate is dominated if another costs no
 * more and scores no worse, and is better in one of the two; equal ones all stay. NaN is ignored.
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
