/** A cluster that does not respond: how long it may be away, and what the log says of it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Log } from '../../utils/logger';
import { formatDuration } from '../../utils/progress';
import { LauncherFault } from './launcher';

/** Milliseconds for which a cluster may be away, and for which an interrupted search still waits for it. */
export interface Patience {
  readonly away: number;
  readonly interrupted: number;
}

const PATIENCE: Patience = { away: 3_600_000, interrupted: 60_000 };

export class Outage {
  private since: number | undefined;

  constructor(
    /** What the log calls the cluster: "Slurm". */
    private readonly name: string,
    private readonly log: Log,
    private readonly isInterrupted: () => boolean,
    private readonly patience = PATIENCE,
  ) {}

  /** Notes that the cluster has responded. */
  end(): void {
    if (this.since !== undefined) {
      this.log.info(`${this.name} responds again after ${formatDuration((performance.now() - this.since) / 1000)}`);
    }
    this.since = undefined;
  }

  /**
   * Waits after a request without an answer, as long as `pause` says for so many milliseconds away. Throws a LauncherFault once
   * patience is over.
   */
  async wait(trouble: string, pause: (away: number) => number): Promise<void> {
    const now = performance.now();
    if (this.since === undefined) {
      const limit = formatDuration(this.patience.away / 1000);
      this.log.warn(`${this.name} does not respond (${trouble}); waiting up to ${limit} while jobs keep training`);
    }
    this.since ??= now;
    const away = now - this.since;
    if (away > (this.isInterrupted() ? this.patience.interrupted : this.patience.away)) {
      throw new LauncherFault(
        `${this.name} has not responded for ${formatDuration(away / 1000)} (${trouble}); jobs keep training, run the same command to resume`,
      );
    }
    await wait(pause(away));
  }
}
