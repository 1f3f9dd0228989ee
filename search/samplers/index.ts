/** The samplers that search.json can name. */
import type { Space } from '../space/space';
import { grid } from './grid';
import { random } from './random';
import type { Sampler, SamplerKind } from './sampler';
import { sobol } from './sobol';
import { tpe } from './tpe';

export type { FrozenTrial, Sampler } from './sampler';

export const samplers = { grid, random, sobol, tpe };

type Samplers = typeof samplers;
export type SamplerName = keyof Samplers;

/** A sampler by its name, with its options filled. */
export type SamplerSettings = {
  [Name in SamplerName]: { readonly name: Name } & (Samplers[Name] extends SamplerKind<infer Options>
    ? Options
    : never);
}[SamplerName];

export function createSampler(settings: SamplerSettings, space: Space, seed: number): Sampler {
  const kind = samplers[settings.name] as { create(space: Space, seed: number, options: SamplerSettings): Sampler };
  return kind.create(space, seed, settings);
}
