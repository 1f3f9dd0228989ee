/** A progress bar on stderr, in the format of tqdm. */
import { columnsOf, LiveLines } from './live_lines';

export interface ProgressBar {
  /** Shows that `done` units are done, and the latest values, such as the loss. */
  update(done: number, values?: Record<string, number>): void;
  /** Leaves the bar as it is and moves to the next line. */
  stop(): void;
}

/** Where the bar is drawn, and a monotonic clock in milliseconds. */
export interface ProgressOutput {
  stream?: NodeJS.WriteStream;
  now?: () => number;
}

const secondsBetweenPlainLines = 30;

/** Milliseconds between two drawings. */
const REDRAW = 200;

/**
 * A bar for `total` units (images, bytes; bytes are shown in MB). On a terminal it redraws the line at most five times
 * a second; elsewhere it prints the line, without the bar, every 30 seconds.
 */
export function progressBar(total: number, unit: string, output: ProgressOutput = {}): ProgressBar {
  const { stream = process.stderr, now = () => performance.now() } = output;
  const start = now();
  const elapsed = () => (now() - start) / 1000;
  if (!stream.isTTY) {
    let next = secondsBetweenPlainLines;
    return {
      update(done, values = {}) {
        if (elapsed() < next) return;
        next = elapsed() + secondsBetweenPlainLines;
        stream.write(`${formatProgress({ done, total, unit, seconds: elapsed(), values })}\n`);
      },
      stop() {},
    };
  }
  const lines = LiveLines.on(stream);
  let [drawn, latest, shown]: [number, number, Record<string, number>] = [start, 0, {}];
  const draw = () => {
    drawn = now();
    const progress = { done: latest, total, unit, seconds: elapsed(), values: shown };
    lines.show([formatProgress({ ...progress, width: columnsOf(stream) })]);
  };
  draw();
  return {
    update(done, values = {}) {
      [latest, shown] = [done, values];
      if (now() - drawn >= REDRAW) draw();
    },
    stop() {
      draw();
      lines.finish();
    },
  };
}

interface Progress {
  done: number;
  total: number;
  unit: string;
  seconds: number;
  values: Record<string, number>;
  /** Maximum columns of the line; without it no bar is drawn. */
  width?: number;
}

/**
 * ` 45%|████    | 22500/50000 [00:23<00:28, 960 images/s, loss=1.503]`. In a narrow terminal the parts of the loss go first, then the
 * bar, the accuracy, the counts, the rate.
 */
export function formatProgress({ done, total, unit, seconds, values, width }: Progress): string {
  const [scale, name, decimals] = unit === 'bytes' ? [1e6, 'MB', 1] : [1, unit, 0];
  const amount = (value: number) => (value / scale).toFixed(decimals);
  const part = total > 0 ? Math.min(1, done / total) : 1;
  const rate = seconds > 0 ? done / seconds : 0;
  const left = rate > 0 ? formatDuration(Math.max(0, total - done) / rate) : '?';
  const times = `${formatDuration(seconds)}<${left}`;
  const speed = `${amount(rate)} ${name}/s`;
  const valuesIn = (isShown: (key: string) => boolean) =>
    Object.entries(values).flatMap(([key, value]) => (isShown(key) ? [`${key}=${value.toFixed(3)}`] : []));
  const percent = `${String(Math.floor(100 * part)).padStart(3)}%`;
  const counts = (details: readonly string[]) => `${amount(done)}/${amount(total)} [${details.join(', ')}]`;
  const all = counts([times, speed, ...valuesIn(() => true)]);
  if (width === undefined) return `${percent} ${all}`;
  const totals = counts([times, speed, ...valuesIn((key) => !key.includes('/'))]);
  const loss = valuesIn((key) => key === 'loss');
  const forms = [
    ...[all, totals].map((text) => withBar(percent, text, part, width)),
    ...[totals, counts([times, speed, ...loss]), [times, speed, ...loss].join(', ')].map(
      (text) => `${percent} ${text}`,
    ),
    [`${percent} ${left} left`, `${amount(rate)}/s`, ...loss].join(', '),
    [percent, `${left} left`, ...loss].join(' '),
  ];
  return forms.find((form) => form.length < width) ?? forms.at(-1)!.slice(0, Math.max(0, width - 1));
}

/** A bar of 8 to 40 cells, as many as the width, less its last column, has room for. */
export function withBar(percent: string, text: string, part: number, width: number): string {
  const cells = Math.min(40, Math.max(8, width - percent.length - text.length - 4));
  return `${percent}|${'█'.repeat(Math.floor(part * cells)).padEnd(cells)}| ${text}`;
}

/** Seconds as `mm:ss` or `h:mm:ss`. */
export function formatDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const digits = (value: number) => String(value).padStart(2, '0');
  const minutes = `${digits(Math.floor(whole / 60) % 60)}:${digits(whole % 60)}`;
  return whole < 3600 ? minutes : `${Math.floor(whole / 3600)}:${minutes}`;
}

/** A bar whose total is known from its first update, when it is first drawn. */
export function lazyProgressBar(): (done: number, total: number | undefined, unit: string) => void {
  let bar: ProgressBar | undefined;
  return (done, total = 0, unit) => {
    bar ??= progressBar(total, unit);
    bar.update(done);
    if (done >= total) bar.stop();
  };
}
