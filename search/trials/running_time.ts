/** How long a repeat of a trial has been trained, over all its jobs and all starts of the search. */
import type { JobTime } from '../journal';

export class RunningTime {
  /** `before`: what the journal says of the trial's last job. */
  constructor(
    private readonly repeat: number,
    private before: JobTime | undefined,
  ) {
    if (before?.repeat !== repeat) this.before = undefined;
  }

  /** Seconds in all. */
  get total(): number {
    return this.before?.total ?? 0;
  }

  /** Takes in for how long a job has run since it began, or since Slurm restarted it: from then on it counts anew. */
  add(job: string, seconds: number): JobTime {
    const { before } = this;
    const isSameRun = before?.job === job && seconds >= before.seconds;
    const total = this.total + (isSameRun ? seconds - before.seconds : seconds);
    this.before = { repeat: this.repeat, job, seconds, total };
    return this.before;
  }
}
