/** Every combination of values once, the first dimension outermost. */
import { canonical } from '../json';
import { countOf, isActive, valueAt, type Dimension, type Point, type Space } from '../space/space';
import type { NoOptions, Sampler, SamplerKind } from './sampler';

/** Each combination of the values that conditions look at is counted by itself. */
const MOST_CASES = 10_000;

export const grid: SamplerKind<NoOptions> = {
  learns: false,
  options: {},
  mistakes(space) {
    const looked = space.filter(({ path }) => space.some((one) => dependsOn(one, path)));
    const cases = looked.reduce((product, dimension) => product * countOf(dimension), 1);
    return [
      ...space
        .filter((dimension) => countOf(dimension) === Infinity)
        .map(
          ({ path }) =>
            `"space.${path}" must be a list or have "step" or "integer" where "sampler" is "grid", got a continuous range`,
        ),
      ...(cases > MOST_CASES
        ? [`"space" must have at most ${MOST_CASES} combinations of what "when" looks at, got ${cases}`]
        : []),
    ];
  },
  create: (space) => new Grid(space),
};

/** The number of points of a grid. */
export function gridSize(space: Space): number {
  return new Grid(space).size;
}

class Grid implements Sampler {
  private readonly sizes = new Map<string, number>();

  constructor(private readonly space: Space) {}

  get size(): number {
    return this.below(0, {});
  }

  suggest(trial: number): Point | undefined {
    if (trial >= this.size) return undefined;
    let rest = trial;
    const point: Record<string, Point[string]> = {};
    this.space.forEach((dimension, d) => {
      if (!isActive(dimension, point)) return;
      const size = (index: number) => this.below(d + 1, { ...point, [dimension.path]: valueAt(dimension, index) });
      let index = 0;
      if (!this.isCondition(dimension)) {
        index = Math.floor(rest / size(0));
        rest -= index * size(0);
      } else {
        for (; rest >= size(index); index++) rest -= size(index);
      }
      point[dimension.path] = valueAt(dimension, index);
    });
    return point;
  }

  /** The number of combinations of the dimensions from `d` on, after a point of the dimensions before. */
  private below(d: number, point: Point): number {
    const dimension = this.space[d];
    if (dimension === undefined) return 1;
    const later = this.space.slice(d);
    const conditions = Object.entries(point).filter(([path]) => later.some((one) => dependsOn(one, path)));
    const key = canonical([d, ...conditions]);
    const known = this.sizes.get(key);
    if (known !== undefined) return known;
    let size = 0;
    if (!isActive(dimension, point)) size = this.below(d + 1, point);
    else if (!this.isCondition(dimension)) size = countOf(dimension) * this.below(d + 1, point);
    else {
      for (let index = 0; index < countOf(dimension); index++) {
        size += this.below(d + 1, { ...point, [dimension.path]: valueAt(dimension, index) });
      }
    }
    this.sizes.set(key, size);
    return size;
  }

  private isCondition({ path }: Dimension): boolean {
    return this.space.some((other) => dependsOn(other, path));
  }
}

function dependsOn({ when: condition = {} }: Dimension, path: string): boolean {
  return Object.hasOwn(condition, path);
}
