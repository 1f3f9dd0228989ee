/** What runs the children of a search. */

/** How a job ended, in words: `exit code 1`. */
export interface Ending {
  readonly how: string;
  /** Whether its machine was taken away, or its time was up, and nothing else was wrong. */
  readonly isCutShort?: boolean;
  /** Whether it was killed: what it said last is not why. */
  readonly isKilled?: boolean;
}

/** A child that runs, or waits to run. */
export interface Job {
  /** Settles when it is gone. */
  readonly ended: Promise<Ending>;
  /** Whether it has not begun yet. */
  readonly isWaiting: () => boolean;
  /** SIGINT and SIGTERM: save and end; SIGKILL: be gone. */
  readonly signal: (signal: Signal) => void;
}

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGKILL';

export interface Launcher {
  /** Starts the trainer on a directory, whose launcher.log gets its stderr. Throws a UserError where it cannot. */
  launch(directory: string): Promise<Job>;
  /** What works, or waits to work, on a directory since an earlier start of the search. */
  resume(directory: string): Promise<Job | undefined>;
}
