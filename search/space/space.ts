/**
 * What a search varies: dimensions, each a key of params.json with the values that it may take, and points, which give
 * a value to every dimension that is active.
 */
import { isSame, type Json } from '../json';

/** What other dimensions must be for a dimension to exist: each named one, active and equal to one of its values. */
export type Condition = Readonly<Record<string, readonly Json[]>>;

/** A list of values without an order. */
export interface Choice {
  readonly kind: 'choice';
  /** The key of params.json; a key inside an object as `schedule.gamma`. */
  readonly path: string;
  readonly values: readonly Json[];
  readonly when?: Condition;
}

/**
 * Numbers from `low` to `high`, both included. With `step` only low, low + step, …, high; without it all of them. With
 * `log` the logarithm is what is spread evenly; then `step` can only be 1, between integers.
 */
export interface Range {
  readonly kind: 'range';
  readonly path: string;
  readonly low: number;
  readonly high: number;
  readonly step?: number;
  readonly log: boolean;
  readonly when?: Condition;
}

export type Dimension = Choice | Range;

/** Dimensions in the order of the file; a condition names only dimensions before its own. */
export type Space = readonly Dimension[];

/** The values of the active dimensions by their paths, in the order of the space. */
export type Point = Readonly<Record<string, Json>>;

/** The number of values that a dimension has; Infinity where it is continuous. */
export function countOf(dimension: Dimension): number {
  if (dimension.kind === 'choice') return dimension.values.length;
  const { low, high, step } = dimension;
  return step === undefined ? Infinity : Math.floor((high - low) / step + 1e-9) + 1;
}

/** Value `index` of a dimension that has countably many, from 0. */
export function valueAt(dimension: Dimension, index: number): Json {
  if (dimension.kind === 'choice') return dimension.values[index]!;
  const value = dimension.low + index * dimension.step!;
  // 0.1 + 2 · 0.1 is meant to be 0.3.
  return Number.isInteger(value) ? value : Number(value.toPrecision(15));
}

/** The index of a value of a countable dimension; −1 where it is none. */
export function indexOf(dimension: Dimension, value: Json): number {
  if (dimension.kind === 'choice') return dimension.values.findIndex((known) => isSame(known, value));
  if (typeof value !== 'number') return -1;
  const index = Math.round((value - dimension.low) / dimension.step!);
  return index >= 0 && index < countOf(dimension) && valueAt(dimension, index) === value ? index : -1;
}

export function contains(dimension: Dimension, value: Json): boolean {
  if (countOf(dimension) < Infinity) return indexOf(dimension, value) >= 0;
  const { low, high } = dimension as Range;
  return typeof value === 'number' && low <= value && value <= high;
}

/**
 * The interval from which a range is drawn: [low, high], widened by half a step on both sides so that the first and the
 * last value get the share of the others, in logarithms where the range is logarithmic.
 */
export function intervalOf({ low, high, step = 0, log }: Range): readonly [low: number, high: number] {
  const ends = [low - step / 2, high + step / 2] as const;
  return log ? [Math.log(ends[0]), Math.log(ends[1])] : ends;
}

/**
 * The value of a range for a place in its interval. Continuous values are rounded to what people read: to six digits
 * where logarithmic, otherwise to about a millionth of the range.
 */
export function fromInterval(range: Range, place: number): number {
  const { low, high, step, log } = range;
  const value = log ? Math.exp(place) : place;
  const clip = (x: number) => Math.min(Math.max(x, low), high);
  if (step !== undefined) return valueAt(range, Math.round((clip(value) - low) / step)) as number;
  if (log) return clip(Number(value.toPrecision(6)));
  const decimals = 6 - Math.ceil(Math.log10(high - low));
  return clip(Number(value.toFixed(Math.min(Math.max(decimals, 0), 100))));
}

/** The value of a dimension for `u` of [0, 1): evenly distributed where `u` is. */
export function fromUnit(dimension: Dimension, u: number): Json {
  if (dimension.kind === 'choice') return dimension.values[Math.floor(u * dimension.values.length)]!;
  const [low, high] = intervalOf(dimension);
  return fromInterval(dimension, low + u * (high - low));
}

/** Whether a dimension exists, given the values of the dimensions before it. */
export function isActive({ when: condition = {} }: Dimension, point: Point): boolean {
  return Object.entries(condition).every(
    ([path, values]) => Object.hasOwn(point, path) && values.some((value) => isSame(value, point[path]!)),
  );
}

/** The point whose active dimensions have the values that `pick` gives, asked in the order of the space. */
export function makePoint(space: Space, pick: (dimension: Dimension, index: number) => Json): Point {
  const point: Record<string, Json> = {};
  space.forEach((dimension, index) => {
    if (isActive(dimension, point)) point[dimension.path] = pick(dimension, index);
  });
  return point;
}

/** Whether a point gives a value of the space to each active dimension and to no other. */
export function isPointOf(space: Space, point: Point): boolean {
  const active = space.filter((dimension) => isActive(dimension, point));
  return (
    active.length === Object.keys(point).length &&
    active.every((dimension) => Object.hasOwn(point, dimension.path) && contains(dimension, point[dimension.path]!))
  );
}
