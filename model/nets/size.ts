/** Minimum image sizes of networks. */
import type { Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';

/** Throws a UserError if the images x (N, C, H, W) are smaller than `least` pixels a side. */
export function requireSide(net: string, x: Tensor, least: number): void {
  const [, , height = 0, width = 0] = x.shape;
  if (height < least || width < least) {
    throw new UserError(`${net}: images must be at least ${least}x${least}, got ${height}x${width}`);
  }
}
