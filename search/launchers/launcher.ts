/** What runs the children of a search. */
import { UserError } from '../../utils/errors';

/** How a job ended, in words: `exit code 1`. */
export interface Ending {
  readonly how: string;
  /** Whether its machine was taken away, or its time was up, and nothing else was wrong. */
  readonly isCutShort?: boolean;
  /** Whether it was killed, or told to end: what it said last is not why. */
  readonly isKilled?: boolean;
  /** Whether it asked for less memory than it took. */
  readonly isOutOfMemory?: boolean;
  /** Whether nobody knows how it ended: its directory has to be looked at again. */
  readonly isUnseen?: boolean;
}

/** How a job stands. */
export interface JobStatus {
  /** The number of the Slurm job or the process; absent before it is submitted. */
  readonly id?: string;
  /** Why it does not run: `pending (Resources)`, `suspended`; absent while it runs. */
  readonly waiting?: string;
  /** For how long it has run since it began, or since Slurm restarted it, without the time in which it was suspended. */
  readonly seconds: number;
}

/** A child that runs, or waits to run. */
export interface Job {
  /** Settles when it is gone. Rejects with a LauncherFault where that can no longer be told. */
  readonly ended: Promise<Ending>;
  readonly status: () => JobStatus;
  /** SIGINT and SIGTERM: save and end; SIGKILL: be gone. */
  readonly signal: (signal: Signal) => void;
}

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGKILL';

/** What is wrong with the launcher itself: it ends the search and is no trial's failure. */
export class LauncherFault extends UserError {}

export interface Launcher {
  /** Starts the trainer on a directory, whose launcher.log gets its stderr. Throws a UserError where it cannot. */
  launch(directory: string): Promise<Job>;
  /** What works, or waits to work, on a directory since an earlier start of the search. */
  resume(directory: string): Promise<Job | undefined>;
}
