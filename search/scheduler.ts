/** Runs a search: proposes trials, keeps as many running as may run, and goes on where it was. */
import { UserError } from '../utils/errors';
import { counted } from '../utils/words';
import type { SearchContext } from './context';
import { SearchState } from './search_state';
import type { Snapshot } from './snapshot';
import { Elsewhere } from './trials/elsewhere';
import { failuresOf, mostFrequentReason } from './trials/failures';
import { importedTrials } from './trials/imported';
import { Proposals } from './trials/proposals';
import { runTrial } from './trials/trial_run';
import type { Trial } from './trials/trials';

export class Search {
  private readonly study: SearchState;
  private readonly proposals: Proposals;
  private readonly elsewhere: Elsewhere;
  /** Trials that were begun before, or have lost their results. */
  private readonly unfinished: Trial[];
  private isExhausted = false;

  constructor(private readonly context: SearchContext) {
    this.study = new SearchState(context);
    const { trials } = this.study;
    this.proposals = new Proposals(context.settings, trials, importedTrials(context.events));
    this.elsewhere = new Elsewhere(this.study, context);
    this.unfinished = [...trials.values()].filter((trial) => !this.study.isOver(trial));
  }

  /**
   * Runs what is left of the search; returns early, with every child saved, where an interrupt was requested. Throws a
   * UserError when more than `max_failures` trials have failed.
   */
  async run(): Promise<void> {
    const { directory, settings, parallel, show, pollMs } = this.context;
    const timer = setInterval(() => show(this.snapshot()), pollMs);
    do {
      await Promise.all(Array.from({ length: parallel }, () => this.work()));
      if (!this.study.isStopping) this.unfinished.push(...this.study.forgetLost());
    } while (this.unfinished.length > 0 && !this.study.isStopping);
    clearInterval(timer);
    show(this.snapshot());
    if (this.study.fault !== undefined) throw this.study.fault;
    const failed = [...this.study.failed].map((name) => this.study.trials.get(name)!);
    if (failed.length > settings.max_failures) {
      throw new UserError(
        `${directory}: ${counted(failed.length, 'trial')} failed, "max_failures" is ${settings.max_failures}; ` +
          `${mostFrequentReason(failed)}; fix the cause and run the same command to resume`,
      );
    }
  }

  snapshot(): Snapshot {
    return { ...this.study.snapshot(), elsewhere: this.elsewhere.size };
  }

  /** Counts the trials that came to nothing, with the most frequent reason; undefined where there are none. */
  failures(): string | undefined {
    return failuresOf(this.study.trials.values());
  }

  /** Runs one trial after the other until none is left. */
  private async work(): Promise<void> {
    try {
      while (!this.study.isStopping) {
        const trial = this.unfinished.shift() ?? this.propose() ?? this.elsewhere.takeBack();
        if (trial !== undefined) {
          const directory = await runTrial(trial, this.study, this.context);
          if (directory !== undefined) this.elsewhere.add(trial, directory);
        } else if (this.elsewhere.size > 0) await this.elsewhere.wait();
        else return;
      }
    } catch (error) {
      this.study.fault ??= error as Error;
    }
  }

  private propose(): Trial | undefined {
    if (this.isExhausted || this.study.trials.size >= this.context.settings.n_trials) return undefined;
    const proposal = this.proposals.next(this.study.trials);
    this.isExhausted = proposal === undefined;
    if (proposal === undefined) return undefined;
    this.study.record(proposal);
    return this.study.trials.get(proposal.name);
  }
}
