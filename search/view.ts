/** A search on the terminal: a line for the whole and one for each running trial, drawn anew in place. */
import { columnsOf, LiveLines, printLine } from '../utils/live_lines';
import { formatDuration, withBar } from '../utils/progress';
import type { Running, Snapshot } from './snapshot';

export interface View {
  readonly show: (snapshot: Snapshot) => void;
  /** Prints a line that stays, above those that change. */
  readonly print: (line: string) => void;
  /** The same for a line that is meant for the one who watches only; absent where nothing is drawn. */
  readonly announce?: (line: string) => void;
  readonly stop: () => void;
}

/** Lines in place for `parallel` trials where `stream` is a terminal; elsewhere only those that stay. */
export function openView(parallel: number, metric: string, stream = process.stderr): View {
  if (!stream.isTTY) return { show: () => {}, print: printLine, stop: () => {} };
  const lines = LiveLines.on(stream);
  // More lines than the terminal has could not be drawn in place.
  const height = Math.min(parallel + 1, Math.max(stream.rows - 1, 1));
  return {
    show: (snapshot) => lines.show(viewLines(snapshot, metric, columnsOf(stream), height)),
    print: printLine,
    announce: (line) => lines.print(line),
    stop: () => lines.clear(),
  };
}

/** The lines of a moment, at most `height`, cut to the width of the terminal. */
export function viewLines(snapshot: Snapshot, metric: string, width: number, height: number): string[] {
  const { running, counts, elsewhere = 0, total, best, secondsLeft } = snapshot;
  const done = counts.complete + counts.pruned + counts.failed;
  const waiting = running.filter((run) => run.waiting !== undefined).length;
  const facts = [
    `${done}/${total} trials`,
    `${counts.running - waiting} running`,
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
    ...(elsewhere > 0 ? [`${elsewhere} in use elsewhere`] : []),
    ...(counts.pruned > 0 ? [`${counts.pruned} pruned`] : []),
    ...(counts.failed > 0 ? [`${counts.failed} failed`] : []),
    ...(best ? [`best ${metric} ${best.value.toFixed(4)} of ${best.name}`] : []),
    ...(secondsLeft === undefined || done === total ? [] : [`about ${formatDuration(secondsLeft)} left`]),
  ];
  const shown = running.length < height ? running : running.slice(0, Math.max(height - 2, 0));
  const longest = Math.max(0, ...shown.map(({ label }) => label.length));
  const nameWidth = Math.min(longest, Math.max(LEAST_NAME, width - LEAST_STATE));
  const lines = shown.map((run) => {
    const line = formatRun(run, metric, width - nameWidth - 1);
    return `${shortened(run.label, nameWidth).padEnd(nameWidth)} ${line}`;
  });
  const rest = shown.length < running.length ? [`and ${running.length - shown.length} more`] : [];
  return [facts.join(', '), ...lines, ...rest].slice(0, height).map((line) => line.slice(0, width - 1));
}

/** Columns that a name and what stands behind it have at least. */
const LEAST_NAME = 12;
const LEAST_STATE = 28;

/** A name without its middle where it is too long: the values of the first and of the last parameter tell trials apart. */
function shortened(name: string, width: number): string {
  if (name.length <= width) return name;
  const head = Math.ceil((width - 1) / 2);
  return `${name.slice(0, head)}…${name.slice(name.length - (width - 1 - head))}`;
}

/**
 * ` 45%|████    | 9/20 [01:23<01:42, val_accuracy=0.612]`, shorter where there is less room; or `pending (Resources)`, with what was
 * done before.
 */
function formatRun({ epochs, plannedEpochs, seconds, value, waiting }: Running, metric: string, width: number): string {
  if (waiting !== undefined) return epochs > 0 ? `${epochs}/${plannedEpochs}, ${waiting}` : waiting;
  const part = plannedEpochs > 0 ? Math.min(1, epochs / plannedEpochs) : 0;
  const left = part > 0 ? formatDuration(seconds / part - seconds) : '?';
  const score = Number.isNaN(value) ? [] : [value.toFixed(3)];
  const percent = `${String(Math.floor(100 * part)).padStart(3)}%`;
  const named = score.map((text) => `, ${metric}=${text}`).join('');
  const counts = `${epochs}/${plannedEpochs} [${formatDuration(seconds)}<${left}${named}]`;
  const forms = [
    withBar(percent, counts, part, width),
    `${percent} ${counts}`,
    [percent, `${epochs}/${plannedEpochs}`, `<${left}`, ...score].join(' '),
  ];
  return forms.find((form) => form.length < width) ?? forms.at(-1)!;
}
