/** The trials of an Optuna study at the start of a search: its sampler learns from them as if the search had run them. */
import { readOptunaStudies, type OptunaStudy, type OptunaTrial } from '../../formats/optuna_journal';
import { UserError } from '../../utils/errors';
import { show } from '../../utils/json';
import { counted } from '../../utils/words';
import { finite, type Event, type ImportedTrial } from '../journal';
import { isSame, isTame, type Json } from '../json';
import type { OptunaSettings, Settings } from '../settings/settings';
import { contains, countOf, isActive, valueAt, type Dimension, type Point, type Space } from '../space/space';

type Imported = Event & { event: 'imported' };

/** The trials from elsewhere that a journal has. */
export function importedTrials(events: readonly Event[]): readonly ImportedTrial[] {
  return events.flatMap((event) => (event.event === 'imported' ? event.trials : []));
}

/**
 * What a journal lacks of the study that the settings name: the file is read once, when the search begins, so that a study that
 * grows changes nothing of a search that resumes. Throws a UserError of one line for a file or a study that is of no use.
 */
export function importEvents(events: readonly Event[], { optuna, space, direction }: Settings): Imported[] {
  if (optuna === undefined || events.some(({ event }) => event === 'imported')) return [];
  const { path } = optuna;
  const study = studyIn(readOptunaStudies(path), optuna);
  if (study.directions.length > 1) {
    throw new UserError(`${path}: the study ${show(study.name)} has ${study.directions.length} objectives, not one`);
  }
  if (study.directions[0] !== direction) {
    throw new UserError(
      `${path}: the study ${show(study.name)} has the direction "${study.directions[0]}", the search has "${direction}"`,
    );
  }
  const ended = study.trials.flatMap((trial, number) => (isEnded(trial) ? [{ trial, number }] : []));
  if (ended.length === 0) throw new UserError(`${path}: the study ${show(study.name)} has no trial that has ended`);
  const fitted = ended.map(({ trial, number }) => ({ trial, number, fit: pointOf(space, trial.params) }));
  const trials = fitted.flatMap(({ trial, number, fit }) =>
    'point' in fit ? [imported(trial, number, fit.point)] : [],
  );
  if (trials.length === 0) {
    const { number, fit } = fitted[0]!;
    const reason = 'reason' in fit ? fit.reason : '';
    throw new UserError(`${path}: no trial of the study ${show(study.name)} fits "space": trial ${number} ${reason}`);
  }
  return [{ event: 'imported', study: study.name, trials }];
}

/** What the log says of the trials that a journal has from elsewhere. */
export function importLines(events: readonly Event[], { metric, direction }: Settings): string[] {
  return events.flatMap((event) => {
    if (event.event !== 'imported') return [];
    const { study, trials } = event;
    const values = trials.flatMap(({ state, value }) => (state === 'complete' && value !== null ? [value] : []));
    const best = direction === 'minimize' ? Math.min(...values) : Math.max(...values);
    const said = values.length > 0 ? `, whose best ${metric} is ${best.toFixed(4)}` : '';
    return [`The sampler starts from ${counted(trials.length, 'trial')} of the Optuna study ${show(study)}${said}`];
  });
}

function studyIn(studies: readonly OptunaStudy[], { path, study_name: wanted }: OptunaSettings): OptunaStudy {
  const names = studies.map(({ name }) => name);
  const found = wanted === undefined ? studies : studies.filter(({ name }) => name === wanted);
  if (found.length === 1) return found[0]!;
  if (studies.length === 0) throw new UserError(`${path}: has no study`);
  const listed = names.map(show).join(', ');
  throw new UserError(
    wanted === undefined
      ? `${path}: has ${studies.length} studies: "study_name" must be one of ${listed}`
      : `${path}: "study_name" must be one of ${listed}, got ${show(wanted)}`,
  );
}

type Ended = OptunaTrial & { readonly state: ImportedTrial['state'] };

function isEnded(trial: OptunaTrial): trial is Ended {
  return ['complete', 'pruned', 'failed'].includes(trial.state);
}

function imported({ state, values, intermediateValues }: Ended, number: number, point: Point): ImportedTrial {
  const steps = [...intermediateValues.keys()];
  const last = steps.length > 0 ? Math.max(...steps) : 0;
  // Optuna's samplers compare pruned trials by their last intermediate values.
  const value = state === 'pruned' ? intermediateValues.get(last) : values[0];
  return { number, point, state, value: finite(state === 'failed' ? NaN : (value ?? NaN)), epochs: last };
}

/** Params of a trial as a point of a space, or why they are none. */
function pointOf(space: Space, params: OptunaTrial['params']): { point: Point } | { reason: string } {
  const point: Record<string, Json> = {};
  for (const dimension of space) {
    const { path } = dimension;
    if (!isActive(dimension, point)) continue;
    if (!Object.hasOwn(params, path)) return { reason: `has no ${show(path)}` };
    const value = valueOf(dimension, params[path]);
    if (value === undefined) return { reason: `has ${show(params[path])} for ${show(path)}` };
    point[path] = value;
  }
  const other = Object.keys(params).find((name) => !Object.hasOwn(point, name));
  return other === undefined ? { point } : { reason: `has ${show(other)}, which is no dimension of it` };
}

/**
 * The value of a dimension that a param stands for: Optuna's choices are plain, so that objects are JSON text; and its steps
 * end in other last digits.
 */
function valueOf(dimension: Dimension, param: unknown): Json | undefined {
  if (!isTame(param)) return undefined;
  if (dimension.kind === 'choice') {
    return dimension.values.find((value) => isSame(value, param) || asText(value) === param);
  }
  if (typeof param !== 'number') return undefined;
  const { low, step } = dimension;
  if (step === undefined) return contains(dimension, param) ? param : undefined;
  const index = Math.round((param - low) / step);
  if (index < 0 || index >= countOf(dimension)) return undefined;
  const value = valueAt(dimension, index) as number;
  return Math.abs(value - param) <= 1e-9 * step ? value : undefined;
}

function asText(value: Json): string | undefined {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : undefined;
}
