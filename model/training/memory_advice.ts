/** What to do about a step that is too large for the memory. */
import { gigabytes } from '../../utils/memory';
import { counted } from '../../utils/words';

/**
 * One line of advice on steps of `batchSize` images that take `needed` of `present` bytes; where these are not known, half
 * of the images is what to try.
 */
export function memoryAdvice(batchSize: number, needed?: number, present?: number): string {
  const isKnown = needed !== undefined && present !== undefined;
  const amounts = isKnown ? `about ${gigabytes(needed)}, where ${gigabytes(present)} are to be had` : 'too much memory';
  const line = `steps on ${counted(batchSize, 'image')} take ${amounts}`;
  if (batchSize === 1) return `${line}; take a smaller network`;
  let parts = 2;
  while (isKnown && needed / parts > present && 2 * parts <= batchSize) parts *= 2;
  return (
    `${line}; try "batch_size": ${Math.floor(batchSize / parts)}, ` +
    `and ${parts} times the "accumulate" for optimizer steps on as many images`
  );
}
