/** Runs a search: proposes trials, keeps as many running as may run, and goes on where it was. */
import pLimit from 'p-limit';
import { UserError } from '../utils/errors';
import type { SearchContext } from './context';
import { Proposals } from './proposals';
import { Study, type Snapshot } from './study';
import { runTrial } from './trial_run';
import type { Trial } from './trials';

export class Search {
  private readonly study: Study;
  private readonly proposals: Proposals;
  private readonly unfinished: Trial[];

  constructor(private readonly context: SearchContext) {
    this.study = new Study(context);
    const { trials } = this.study;
    this.proposals = new Proposals(context.settings, trials);
    this.unfinished = [...trials.values()].filter((trial) => !this.study.isOver(trial));
  }

  /**
   * Runs what is left of the search; returns early, with every child saved, where an interrupt was requested. Throws a
   * UserError when more than `max_failures` trials have failed.
   */
  async run(): Promise<void> {
    const { settings, parallel, show, pollMs } = this.context;
    const { complete, pruned } = this.snapshot().counts;
    const limit = pLimit(parallel);
    const timer = setInterval(() => show(this.snapshot()), pollMs);
    const tasks = Array.from({ length: settings.trials - complete - pruned }, () => limit(() => this.runNext()));
    await Promise.all(tasks);
    clearInterval(timer);
    show(this.snapshot());
    if (this.study.fault !== undefined) throw this.study.fault;
    if (this.study.failed.size > settings.max_failures) {
      throw new UserError(
        `${this.context.directory}: ${this.study.failed.size} trials failed, "max_failures" is ${settings.max_failures}; ` +
          `when what ails them is mended, the same command goes on`,
      );
    }
  }

  snapshot(): Snapshot {
    return this.study.snapshot();
  }

  private async runNext(): Promise<void> {
    if (this.study.isStopping) return;
    try {
      const trial = this.unfinished.shift() ?? this.propose();
      if (trial) await runTrial(trial, this.study, this.context);
    } catch (error) {
      this.study.fault ??= error as Error;
    }
  }

  private propose(): Trial | undefined {
    const proposal = this.proposals.next(this.study.trials);
    if (proposal === undefined) return undefined;
    this.study.record(proposal);
    return this.study.trials.get(proposal.name);
  }
}
