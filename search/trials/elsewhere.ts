/** Trials that another machine, or another user, works on: they are left for the end, and taken back once they are unlocked. */
import { setTimeout as wait } from 'node:timers/promises';
import { describeHolder, lockOwner, SILENCE_SECONDS, type LockOwner } from '../../runs/lock';
import type { SearchContext } from '../context';
import type { SearchState } from '../search_state';
import type { Trial } from './trials';

/** A trial's directory, and when this search first found it in use. */
interface Left {
  readonly directory: string;
  readonly since: number;
}

export class Elsewhere {
  private readonly left = new Map<string, Left>();
  private lookedAt = 0;
  private saidWaiting = false;

  constructor(
    private readonly study: SearchState,
    private readonly context: SearchContext,
  ) {}

  get size(): number {
    return this.left.size;
  }

  add({ name }: Trial, directory: string): void {
    const owner = ownerOf(directory);
    if (owner) this.context.log.warn(`Postponed: ${directory}: in use by ${describeHolder(directory, owner)}`);
    this.left.set(name, { directory, since: performance.now() });
  }

  /** A trial whose lock no longer counts. Those that are in use for longer than `trial_timeout` have failed. */
  takeBack(): Trial | undefined {
    const { pollMs, settings } = this.context;
    const now = performance.now();
    if (now - this.lookedAt < pollMs) return undefined;
    this.lookedAt = now;
    for (const [name, { directory, since }] of this.left) {
      const trial = this.study.trials.get(name)!;
      const owner = ownerOf(directory);
      const seconds = (now - since) / 1000;
      const isLate = settings.trial_timeout !== undefined && seconds > settings.trial_timeout;
      if (owner !== undefined && !isLate) continue;
      this.left.delete(name);
      if (owner === undefined) return trial;
      const reason = `timeout after ${settings.trial_timeout} s, in use by ${describeHolder(directory, owner)}`;
      this.study.record({ event: 'failed', name, repeat: trial.values.length, reason });
      this.study.report(name, seconds);
    }
    return undefined;
  }

  /** Lets a moment pass; says the first time what for. */
  async wait(): Promise<void> {
    const names = [...this.left.keys()];
    const some = names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
    if (!this.saidWaiting) {
      this.context.log.info(
        `Waiting for ${some}, which other processes are training: this search takes a trial over when its lock is ` +
          `released or has had no heartbeat for ${SILENCE_SECONDS} s`,
      );
    }
    this.saidWaiting = true;
    await wait(this.context.pollMs);
  }
}

/** Who works on a directory. Nobody where the lock cannot be read: running the trial tells why. */
function ownerOf(directory: string): LockOwner | undefined {
  try {
    return lockOwner(directory);
  } catch {
    return undefined;
  }
}
