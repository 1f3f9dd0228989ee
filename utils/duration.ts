/** Durations as a user writes them: `90s`, `30m`, `2h`, `1h30m`. */

/** What a schema accepts. */
export const DURATION = '^(?=.)([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$';

/** `1h30m` in seconds. */
export function secondsOf(duration: string): number {
  const sizes: Record<string, number> = { h: 3600, m: 60, s: 1 };
  const parts = duration.match(/[0-9]+[hms]/g) ?? [];
  return parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * sizes[part.at(-1)!]!, 0);
}
