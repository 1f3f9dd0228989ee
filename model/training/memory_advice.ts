/** Advice for a step that is too large for the memory. */
import { gigabytes } from '../../utils/memory';
import { counted } from '../../utils/words';

/**
 * One line of advice on steps of `batchSize` images that need `needed` of `present` bytes; if these are unknown, it
 * suggests half of the images.
 */
export function memoryAdvice(batchSize: number, needed?: number, present?: number): string {
  const isKnown = needed !== undefined && present !== undefined;
  const amounts = isKnown ? `about ${gigabytes(needed)}, but ${gigabytes(present)} are available` : 'too much memory';
  const line = `steps on ${counted(batchSize, 'image')} need ${amounts}`;
  if (batchSize === 1) return `${line}; use a smaller network`;
  let parts = 2;
  while (isKnown && needed / parts > present && 2 * parts <= batchSize) parts *= 2;
  return (
    `${line}; try "batch_size": ${Math.floor(batchSize / parts)}, ` +
    `and multiply "accumulate" by ${parts} to keep the number of images per optimizer step`
  );
}
