/** Independent uniform values (Bergstra and Bengio 2012, "Random search for hyper-parameter optimization"). */
import { Random } from '../../utils/random';
import { fromUnit, makePoint, type Space } from '../space/space';
import type { NoOptions, Sampler, SamplerKind } from './sampler';

export const random: SamplerKind<NoOptions> = {
  learns: false,
  options: {},
  mistakes: () => [],
  create: createRandom,
};

/** A value depends on the seed, the path of its dimension and the trial: a further dimension changes no other. */
export function createRandom(space: Space, seed: number): Sampler {
  const streams = space.map(({ path }) => new Random(seed, `search.random ${path}`));
  return { suggest: (trial) => makePoint(space, (dimension, d) => fromUnit(dimension, streams[d]!.uniform(trial))) };
}
