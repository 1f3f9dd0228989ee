/** The trials that a sampler proposes, each of a point that no trial has had. */
import type { Event, ImportedTrial } from '../journal';
import { createSampler, type FrozenTrial, type Sampler } from '../samplers/index';
import type { Settings } from '../settings/settings';
import { trialName } from './trial_name';
import { stateOf, valueOf, type Trial, type Trials } from './trials';

/** Points of before in a row until a space counts as used up. */
const MOST_REPETITIONS = 1000;

export class Proposals {
  private readonly sampler: Sampler;
  private readonly imported: readonly FrozenTrial[];
  /** Names of directories that their points would have. */
  private readonly importedNames: ReadonlySet<string>;
  private draw: number;

  /** `imported`: trials from elsewhere, which count as trials before the first. */
  constructor(
    private readonly settings: Settings,
    known: Trials,
    imported: readonly ImportedTrial[] = [],
  ) {
    this.sampler = createSampler(settings.sampler, settings.space, settings.seed);
    // A grid that has grown has new points anywhere; the other samplers go on.
    const draws = [...known.values(), ...imported].map(({ number }) => number);
    this.importedNames = new Set(imported.map(({ point }) => trialName(point, settings.names)));
    this.imported = imported.map(({ number, point: params, state, value, epochs }) => ({
      number,
      params,
      state,
      epochs,
      ...(state !== 'failed' && { value: this.gain(value ?? NaN) }),
    }));
    this.draw = settings.sampler.name === 'grid' ? 0 : Math.max(-1, ...draws) + 1;
  }

  /** The next trial, given all that there are; undefined where the space has no further points. */
  next(trials: Trials): (Event & { event: 'proposed' }) | undefined {
    const history = [...this.imported, ...[...trials.values()].map((trial) => this.frozen(trial))];
    for (let misses = 0; misses <= history.length + MOST_REPETITIONS; misses++) {
      const number = this.draw++;
      const params = this.sampler.suggest(number, history);
      if (params === undefined) return undefined;
      const name = trialName(params, this.settings.names);
      if (!trials.has(name) && !this.importedNames.has(name))
        return { event: 'proposed', name, trial: number, point: params };
    }
    return undefined;
  }

  private frozen(trial: Trial): FrozenTrial {
    const { params, epochs } = trial;
    const state = stateOf(trial, this.settings.repeats);
    const value = this.gain(valueOf(trial));
    const isMeasured = state === 'complete' || state === 'pruned';
    return { number: trial.number, params, state, epochs, ...(isMeasured && { value }) };
  }

  /** A value of the metric such that more is better. */
  private gain(value: number): number {
    return this.settings.direction === 'minimize' ? -value : value;
  }
}
