/** What chooses the parameters of trials. */
import type { Schema } from '../../utils/schema';
import type { Point, Space } from '../space/space';

/** What a sampler knows of a trial. */
export interface FrozenTrial {
  readonly number: number;
  readonly params: Point;
  readonly state: 'running' | 'complete' | 'pruned' | 'failed';
  /** The metric of a complete trial, or that of the last epoch of a pruned one; the larger the better. */
  readonly value?: number;
  /** How many epochs it has run. */
  readonly epochs?: number;
}

export interface Sampler {
  /**
   * The parameters of trial `number` (from 0), or undefined where there is no point left. They depend on the seed, the number
   * and, if the sampler learns, on the trials in `history`, whatever their order.
   */
  suggest(number: number, history: readonly FrozenTrial[]): Point | undefined;
}

/** A kind of sampler, as search.json names it. */
export interface SamplerKind<Options> {
  /** The schemas of its options, all with defaults. */
  readonly options: Readonly<Record<keyof Options, Schema>>;
  /** Whether its points depend on how the trials before went. */
  readonly learns: boolean;
  /** Lines on what it cannot do with a space. */
  mistakes(space: Space): string[];
  create(space: Space, seed: number, options: Options): Sampler;
}

/** The options of a sampler or pruner that has none. */
export type NoOptions = Readonly<Record<never, never>>;
