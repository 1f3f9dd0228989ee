/** How many trials of a search came to nothing, and why most of them did. */
import type { Trial } from './trials';

/** `2 failed, 1 diverged, most often (2 of 3): error: no such file`; undefined where there are none. */
export function failuresOf(trials: Iterable<Trial>): string | undefined {
  const lost = [...trials].filter(({ early }) => early !== undefined && early.reason !== '');
  if (lost.length === 0) return undefined;
  const failed = lost.filter(({ early }) => early!.state === 'failed').length;
  const counts = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(failed < lost.length ? [`${lost.length - failed} diverged`] : []),
  ];
  return `${counts.join(', ')}, ${mostFrequentReason(lost)}`;
}

/**
 * `most often (2 of 3): error: no such file`, of trials that have failed or diverged. Reasons that differ only in numbers and in
 * the trial's name count as one, and the first of them stands for all.
 */
export function mostFrequentReason(trials: readonly Trial[]): string {
  const groups = new Map<string, string[]>();
  for (const { name, early } of trials) {
    const reason = early!.reason.replaceAll('\n', '; ');
    const kind = reason.replaceAll(name, '').replace(/\d+/g, '0');
    groups.set(kind, [...(groups.get(kind) ?? []), reason]);
  }
  const [most] = [...groups.values()].sort((a, b) => b.length - a.length);
  return `most often (${most!.length} of ${trials.length}): ${most![0]}`;
}
