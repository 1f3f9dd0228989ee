/** A progress bar on stderr (cli-progress), in the format of tqdm. */
import { SingleBar } from 'cli-progress';

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

/** Draws synchronously when an update is due, since timers do not run during a training step. */
class SynchronousBar extends SingleBar {
  override render(): void {
    super.render();
    // The timer for the next drawing must not keep a process alive that has failed before stop().
    (this as unknown as { timer: NodeJS.Timeout }).timer.unref();
  }
}

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
  const bar = new SynchronousBar({
    stream,
    linewrap: true,
    format: (_, { value, maxWidth }, values: Record<string, number>) =>
      formatProgress({ done: value, total, unit, seconds: elapsed(), values, width: maxWidth }),
  });
  bar.start(total, 0);
  return { update: (done, values = {}) => bar.update(done, values), stop: () => bar.stop() };
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

/** ` 45%|████    | 22500/50000 [00:23<00:28, 960 images/s, loss=1.503]` */
export function formatProgress({ done, total, unit, seconds, values, width }: Progress): string {
  const [scale, name, decimals] = unit === 'bytes' ? [1e6, 'MB', 1] : [1, unit, 0];
  const amount = (value: number) => (value / scale).toFixed(decimals);
  const part = total > 0 ? Math.min(1, done / total) : 1;
  const rate = seconds > 0 ? done / seconds : 0;
  const left = rate > 0 ? formatDuration(Math.max(0, total - done) / rate) : '?';
  const details = [
    `${formatDuration(seconds)}<${left}`,
    `${amount(rate)} ${name}/s`,
    ...Object.entries(values).map(([key, value]) => `${key}=${value.toFixed(3)}`),
  ];
  const percent = `${String(Math.floor(100 * part)).padStart(3)}%`;
  const counts = `${amount(done)}/${amount(total)} [${details.join(', ')}]`;
  if (width === undefined) return `${percent} ${counts}`;
  const cells = Math.min(40, Math.max(8, width - percent.length - counts.length - 4));
  return `${percent}|${'█'.repeat(Math.floor(part * cells)).padEnd(cells)}| ${counts}`;
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
