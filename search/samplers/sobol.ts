/**
 * The Sobol sequence: points that fill the unit cube more evenly than random ones. Direction numbers of Joe and Kuo,
 * "Constructing Sobol sequences with better two-dimensional projections" (2008), table new-joe-kuo-6; the order of
 * Antonov and Saleev (1979); scrambled by Owen's nested uniform permutations (1995), which keep its evenness, make each
 * point uniformly distributed, and differ by seed.
 */
import { Random } from '../../utils/random';
import { fromUnit, makePoint } from '../space/space';
import type { NoOptions, SamplerKind } from './sampler';

export const sobol: SamplerKind<NoOptions> = {
  learns: false,
  options: {},
  mistakes: (space) =>
    space.length <= SOBOL_DIMENSIONS
      ? []
      : [`"space" must have at most ${SOBOL_DIMENSIONS} dimensions where "sampler" is "sobol", got ${space.length}`],
  create: (space, seed) => {
    const streams = space.map(({ path }) => new Random(seed, `search.sobol ${path}`));
    return {
      suggest: (trial) =>
        makePoint(space, (dimension, d) => fromUnit(dimension, scrambled(sobolWord(trial, d), streams[d]!) * 2 ** -32)),
    };
  },
};

/** Coordinate `dimension` of point `index` of the unscrambled sequence, a fraction of 32 bits as an unsigned integer. */
export function sobolWord(index: number, dimension: number): number {
  const directions = directionsOf(dimension);
  const gray = index ^ (index >>> 1);
  let word = 0;
  for (let bit = 0; bit < 32; bit++) if ((gray >>> bit) & 1) word ^= directions[bit]!;
  return word >>> 0;
}

/** Flips each bit of a fraction or not, by a random choice of its own for each value of the bits above it. */
function scrambled(word: number, random: Random): number {
  let flips = 0;
  for (let bit = 0; bit < 32; bit++) {
    const above = bit === 0 ? 0 : word >>> (32 - bit);
    flips |= random.integer(2, above, bit) << (31 - bit);
  }
  return (word ^ flips) >>> 0;
}

const cache = new Map<number, Uint32Array>();

/**
 * Direction numbers v_1 … v_32 = m_k · 2^(32−k), by the recurrence of a primitive polynomial over GF(2) of degree s,
 * x^s + a_1 x^(s−1) + … + a_(s−1) x + 1: m_k = 2 a_1 m_(k−1) ⊕ … ⊕ 2^(s−1) a_(s−1) m_(k−s+1) ⊕ 2^s m_(k−s) ⊕ m_(k−s).
 * In terms of v each factor 2^i is a shift to the right that is there already.
 */
function directionsOf(dimension: number): Uint32Array {
  const known = cache.get(dimension);
  if (known) return known;
  const v = new Uint32Array(32);
  if (dimension === 0) {
    for (let k = 0; k < 32; k++) v[k] = 2 ** (31 - k);
  } else {
    const [coefficients, ...m] = JOE_KUO[dimension - 1]!;
    const degree = m.length;
    for (let k = 0; k < 32; k++) {
      if (k < degree) {
        v[k] = m[k]! * 2 ** (31 - k);
        continue;
      }
      v[k] = v[k - degree]! ^ (v[k - degree]! >>> degree);
      for (let i = 1; i < degree; i++) if ((coefficients! >>> (degree - 1 - i)) & 1) v[k]! ^= v[k - i]!;
    }
  }
  cache.set(dimension, v);
  return v;
}

/** For each dimension from the second on: the bits a_1 … a_(s−1) of its polynomial, then m_1 … m_s. */
// prettier-ignore
const JOE_KUO: readonly (readonly number[])[] = [
  [0, 1], [1, 1, 3], [1, 1, 3, 1], [2, 1, 1, 1], [1, 1, 1, 3, 3], [4, 1, 3, 5, 13], [2, 1, 1, 5, 5, 17],
  [4, 1, 1, 5, 5, 5], [7, 1, 1, 7, 11, 19], [11, 1, 1, 5, 1, 1], [13, 1, 1, 1, 3, 11], [14, 1, 3, 5, 5, 31],
  [1, 1, 3, 3, 9, 7, 49], [13, 1, 1, 1, 15, 21, 21], [16, 1, 3, 1, 13, 27, 49], [19, 1, 1, 1, 15, 7, 5],
  [22, 1, 3, 1, 15, 13, 25], [25, 1, 1, 5, 5, 19, 61], [1, 1, 3, 7, 11, 23, 15, 103], [4, 1, 3, 7, 13, 13, 15, 69],
  [7, 1, 1, 3, 13, 7, 35, 63], [8, 1, 3, 5, 9, 1, 25, 53], [14, 1, 3, 1, 13, 9, 35, 107],
  [19, 1, 3, 1, 5, 27, 61, 31], [21, 1, 1, 5, 11, 19, 41, 61], [28, 1, 3, 5, 3, 3, 13, 69],
  [31, 1, 1, 7, 13, 1, 19, 1], [32, 1, 3, 7, 5, 13, 19, 59], [37, 1, 1, 3, 9, 25, 29, 41],
  [41, 1, 3, 5, 13, 23, 1, 55], [42, 1, 3, 7, 3, 13, 59, 17], [50, 1, 3, 1, 3, 5, 53, 69],
  [55, 1, 1, 5, 5, 23, 33, 13], [56, 1, 1, 7, 7, 1, 61, 123], [59, 1, 1, 7, 9, 13, 61, 49],
  [62, 1, 3, 3, 5, 3, 55, 33], [14, 1, 3, 1, 15, 31, 13, 49, 245], [21, 1, 3, 5, 15, 31, 59, 63, 97],
  [22, 1, 3, 1, 11, 11, 11, 77, 249], [38, 1, 3, 1, 11, 27, 43, 71, 9], [47, 1, 1, 7, 15, 21, 11, 81, 45],
  [49, 1, 3, 7, 3, 25, 31, 65, 79], [50, 1, 3, 1, 1, 19, 11, 3, 205], [52, 1, 1, 5, 9, 19, 21, 29, 157],
  [56, 1, 3, 7, 11, 1, 33, 89, 185], [67, 1, 3, 3, 3, 15, 9, 79, 71], [70, 1, 3, 7, 11, 15, 39, 119, 27],
  [84, 1, 1, 3, 1, 11, 31, 97, 225], [97, 1, 1, 1, 3, 23, 43, 57, 177], [103, 1, 3, 7, 7, 17, 17, 37, 71],
  [115, 1, 3, 1, 5, 27, 63, 123, 213], [122, 1, 1, 3, 5, 11, 43, 53, 133],
];

export const SOBOL_DIMENSIONS = JOE_KUO.length + 1;
