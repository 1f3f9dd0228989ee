/** What runs the children of a search. */

/** A child that runs. */
export interface Job {
  /** Settles when it is gone, with words on how it ended: `exit code 1`. */
  readonly ended: Promise<string>;
  /** SIGINT: save and end; SIGTERM the same in other words; SIGKILL: be gone. */
  signal(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): void;
}

export interface Launcher {
  /** Starts the trainer on a directory, whose launcher.log gets its stderr. */
  launch(directory: string): Job;
}
