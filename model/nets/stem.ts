/**
 * How networks for photographs of 224×224 take in small images too: up to 64 pixels a side, their first layer moves half as far
 * or less, so that 32×32 images end as maps of 2×2. Kernels stay, and with them the checkpoints.
 */
import type { Tensor } from '../../engine/tensor';

/** Images up to this side are small. */
const SMALL = 64;

/** `small` for images x (N, C, H, W) whose sides are small, `usual` for others. */
export function bySize<T>(x: Tensor, { small, usual }: { readonly small: T; readonly usual: T }): T {
  return Math.max(x.shape[2]!, x.shape[3]!) <= SMALL ? small : usual;
}
