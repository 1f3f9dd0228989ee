/** The types of a search space that code gives, and of the parameters that are chosen from it. */
import type { Json } from '../json';

/** A condition: the dimension exists only where each named one has this value, or one of this list. */
type When = Readonly<Record<string, Json>>;

/** The values to try for one parameter, as in search.json: a list, or a range with both ends included. */
export type SearchDimension =
  | readonly Json[]
  | { readonly values: readonly Json[]; readonly when?: When }
  | {
      readonly low: number;
      readonly high: number;
      readonly step?: number;
      readonly log?: boolean;
      readonly integer?: boolean;
      readonly when?: When;
    };

type ValueOf<D> = D extends readonly (infer V)[] ? V : D extends { values: readonly (infer V)[] } ? V : number;

/** The parameters of a trial by the space that they are chosen from; those that have a condition may be absent. */
export type ParamsOf<Space> = {
  readonly [K in keyof Space as Space[K] extends { when: object } ? never : K]: ValueOf<Space[K]>;
} & {
  readonly [K in keyof Space as Space[K] extends { when: object } ? K : never]?: ValueOf<Space[K]>;
};
