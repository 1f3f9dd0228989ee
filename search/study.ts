/** A study from code: trials that the caller runs, chosen by a sampler and stopped early by a pruner. It needs no directory. */
import { UserError } from '../utils/errors';
import { show } from '../utils/json';
import { finite, type Event } from './journal';
import type { PrunerSettings } from './pruners';
import type { SamplerSettings } from './samplers';
import { parseSettings } from './settings/settings';
import type { SearchDimension } from './space/typed_space';
import { StudyTrial } from './study_trial';
import { Proposals } from './trials/proposals';
import { TrialHistory } from './trials/trial_history';

type Chosen<T> = T extends { name: infer Name } ? Name | ({ readonly name: Name } & Partial<Omit<T, 'name'>>) : never;

/** Keys of search.json, with the same meaning and defaults. */
export interface StudyOptions<Space> {
  /** Whether larger or smaller values are better. */
  readonly direction: 'maximize' | 'minimize';
  readonly space: Space;
  /** A name, or an object with `name` and options. Default: `'grid'`, which needs a finite space. */
  readonly sampler?: Chosen<SamplerSettings>;
  /** A name, or an object with `name` and options. Default: `'none'`. */
  readonly pruner?: Chosen<PrunerSettings>;
  /** An integer from 0. Default: 230. The trials are a function of it and of what they were told. */
  readonly seed?: number;
}

/** What becomes of a trial: its value, or why it has none. */
export type TrialOutcome = number | { readonly state: 'pruned' | 'failed'; readonly reason?: string };

const keys = ['direction', 'space', 'sampler', 'pruner', 'seed'];

/**
 * Makes a study without trials. Throws a UserError that names the option, its value and what is accepted.
 *
 *     const space = { learning_rate: { low: 1e-4, high: 1e-1, log: true }, optimizer: ['adam', 'sgd'] } as const;
 *     const study = createStudy({ direction: 'maximize', sampler: 'tpe', space });
 *     const trial = study.ask();
 *     study.tell(trial, await accuracyOf(trial.params));
 */
export function createStudy<const Space extends Readonly<Record<string, SearchDimension>>>(
  options: StudyOptions<Space>,
): Study<Space> {
  return new Study(options);
}

/** A search from code: `ask` for a trial, run it, `tell` how it went. */
export class Study<Space> {
  private readonly history: TrialHistory;
  private readonly proposals: Proposals;
  private readonly byName = new Map<string, StudyTrial<Space>>();

  /** Called by {@link createStudy}. */
  constructor(options: StudyOptions<Space>) {
    const other = Object.keys(options).find((key) => !keys.includes(key));
    if (other !== undefined) {
      throw new UserError(`createStudy: ${show(other)} is not an option; accepted are ${keys.join(', ')}`);
    }
    if (options.direction === undefined) {
      throw new UserError('createStudy: "direction" must be one of "maximize", "minimize", got undefined');
    }
    // How many trials there are is up to the caller.
    const settings = parseSettings({ ...options, n_trials: 1 }, 'createStudy');
    this.history = new TrialHistory(settings, new Map());
    this.proposals = new Proposals(settings, new Map());
  }

  /**
   * The next trial, with parameters that no trial has had. With the same options and the same outcomes these are the trials of
   * `search_hyperparams.ts`. Several may run at a time. Throws a UserError where every point of the space was asked for.
   */
  ask(): StudyTrial<Space> {
    const proposal = this.proposals.next(this.history.trials);
    if (proposal === undefined) {
      throw new UserError(`study.ask: the space has no point left after ${this.byName.size} trials`);
    }
    this.history.add(proposal);
    const trial = new StudyTrial<Space>(this.history, proposal.name, this.byName.size);
    this.byName.set(proposal.name, trial);
    return trial;
  }

  /**
   * Ends a trial. `outcome`: its value, in any unit (one that is not finite counts as none), or that it was pruned or has failed.
   * To samplers a pruned trial is worse than every complete one, and a failed one does not exist. Throws a UserError for a trial
   * of another study, for one that has ended, and for any other outcome.
   */
  tell(trial: StudyTrial<Space>, outcome: TrialOutcome): void {
    const found = [...this.byName].find(([, one]) => one === trial);
    if (found === undefined) throw new UserError('study.tell: the trial must be one that ask() of this study returned');
    if (trial.state !== 'running') throw new UserError(`study.tell: trial ${trial.number} has ended: ${trial.state}`);
    this.history.add(this.ending(found[0], outcome));
  }

  /** The complete trial with the best value; undefined while there is none. */
  get best(): StudyTrial<Space> | undefined {
    const [first] = this.history.ranked();
    return first && this.byName.get(first.trial.name);
  }

  /** All trials in the order in which they were asked for. */
  get trials(): readonly StudyTrial<Space>[] {
    return [...this.byName.values()];
  }

  private ending(name: string, outcome: TrialOutcome): Event {
    const curve = this.history.curve(name);
    const measured = { name, repeat: 0, epochs: curve.length };
    if (typeof outcome === 'number') return { event: 'finished', value: finite(outcome), ...measured };
    const { state, reason = '' } = outcome ?? {};
    if (state === 'pruned') return { event: 'pruned', value: finite(curve.at(-1) ?? NaN), reason, ...measured };
    if (state === 'failed') return { event: 'failed', name, repeat: 0, reason };
    throw new UserError(
      `study.tell: the outcome must be a number or have "state": "pruned" or "failed", got ${show(state ?? outcome)}`,
    );
  }
}
