/** A curve in one line of text. */
const LEVELS = '▁▂▃▄▅▆▇█';

/**
 * One block per value, its height scaled between the smallest and the largest; at most `width` values, evenly chosen.
 * A value that is not finite leaves a gap.
 */
export function sparkline(values: readonly number[], width = 60): string {
  const count = Math.min(values.length, width);
  const shown = Array.from(
    { length: count },
    (_, i) => values[Math.round((i * (values.length - 1)) / (count - 1 || 1))]!,
  );
  const finite = shown.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const level = (value: number) => Math.round(((LEVELS.length - 1) * (value - low)) / (high - low || 1));
  return shown.map((value) => LEVELS[level(value)] ?? ' ').join('');
}
