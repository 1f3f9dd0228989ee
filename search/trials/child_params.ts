/** The params.json of a search's child: that of the parent with the params of a trial. */
import { UserError } from '../../utils/errors';
import { show } from '../../utils/json';
import type { Json } from '../json';
import type { Point } from '../space/space';

/**
 * A copy of a params.json's content with every value of a point at its path; objects on the way are made where absent.
 * `source` names the parent's file in the UserError for a path that leads into something that is no object.
 */
export function childParams(
  parent: Readonly<Record<string, unknown>>,
  point: Point,
  source: string,
): Record<string, unknown> {
  const child = structuredClone<Record<string, unknown>>(parent);
  for (const [path, value] of Object.entries(point)) {
    const keys = path.split('.');
    const last = keys.pop()!;
    let place = child;
    keys.forEach((key, depth) => {
      if (!Object.hasOwn(place, key)) place[key] = {};
      const inner = place[key];
      if (typeof inner !== 'object' || inner === null) {
        const way = show(keys.slice(0, depth + 1).join('.'));
        throw new UserError(`${source}: ${way} must be an object where ${show(path)} is searched, got ${show(inner)}`);
      }
      place = inner as Record<string, unknown>;
    });
    place[last] = structuredClone<Json>(value);
  }
  return child;
}
