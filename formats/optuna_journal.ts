/**
 * Optuna's journal file storage (`optuna.storages.journal.JournalFileBackend` of Optuna 4 and 5): a JSON record a line, which
 * `JournalStorageReplayResult` replays into studies and their trials. Trials are counted over all studies of a file.
 */
import { UserError } from '../utils/errors';
import { readText } from '../utils/files';
import { isObject, parsePythonJson, show } from '../utils/json';

/** `JournalOperation`; `discardTrials` is written by other programs and means nothing to Optuna. */
export const operations = {
  createStudy: 0,
  deleteStudy: 1,
  setStudyUserAttr: 2,
  setStudySystemAttr: 3,
  createTrial: 4,
  setTrialParam: 5,
  setTrialStateValues: 6,
  setTrialIntermediateValue: 7,
  setTrialUserAttr: 8,
  setTrialSystemAttr: 9,
  discardTrials: 10,
} as const;

/** `StudyDirection`. */
export const directions = { minimize: 1, maximize: 2 } as const;

/** `TrialState`. */
export const trialStates = { running: 0, complete: 1, pruned: 2, failed: 3, waiting: 4 } as const;

export interface OptunaTrial {
  /** Params by name, as `FrozenTrial.params` has them. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly state: keyof typeof trialStates;
  /** One for each direction of the study; empty if the trial has none. NaN where Optuna has null or NaN. */
  readonly values: readonly number[];
  readonly intermediateValues: ReadonlyMap<number, number>;
}

export interface OptunaStudy {
  readonly name: string;
  readonly directions: readonly (keyof typeof directions)[];
  /** By their numbers. */
  readonly trials: readonly OptunaTrial[];
}

type Row = Readonly<Record<string, unknown>>;

/**
 * The studies of a file. A last line without its end is skipped, as Optuna does: its writer is not done with it. Throws a
 * UserError of one line for a file that Optuna could not replay either.
 */
export function readOptunaStudies(path: string): OptunaStudy[] {
  const text = readText(path);
  if (text.startsWith('SQLite format 3\0')) {
    throw new UserError(`${path}: is an SQLite database; copy the study into a journal file with optuna.copy_study`);
  }
  const replay = new Replay();
  const lines = text.split('\n').slice(0, -1);
  if (lines.length === 0) throw new UserError(`${path}: is not a journal file of Optuna: it has no line`);
  lines.forEach((line, i) => {
    try {
      replay.apply(parsePythonJson(line));
    } catch (error) {
      const reason = (error as Error).message;
      throw new UserError(`${path}: is not a journal file of Optuna: line ${i + 1}: ${reason}`);
    }
  });
  return replay.studies;
}

interface ReplayedTrial {
  params: OptunaTrial['params'];
  state: number;
  values: readonly number[];
  readonly intermediateValues: Map<number, number>;
}
interface ReplayedStudy {
  readonly name: string;
  readonly directions: OptunaStudy['directions'];
  readonly trials: ReplayedTrial[];
}

class Replay {
  /** By their IDs; undefined: deleted. */
  private readonly byId: (ReplayedStudy | undefined)[] = [];
  private readonly trials: ReplayedTrial[] = [];

  get studies(): OptunaStudy[] {
    return this.byId
      .filter((study) => study !== undefined)
      .map((study) => ({ ...study, trials: study.trials.map((trial) => ({ ...trial, state: stateOf(trial.state) })) }));
  }

  apply(record: unknown): void {
    if (!isObject(record)) throw new Error(`must be an object, got ${show(record)}`);
    switch (record.op_code) {
      case operations.createStudy:
        return this.createStudy(record);
      case operations.deleteStudy:
        return this.deleteStudy(countIn(record, 'study_id'));
      case operations.createTrial:
        return this.createTrial(record);
      case operations.setTrialParam:
        return this.update(record, (trial) => {
          const distribution = distributionIn(record, 'distribution');
          trial.params = {
            ...trial.params,
            [textIn(record, 'param_name')]: distribution(record.param_value_internal),
          };
        });
      case operations.setTrialStateValues:
        return this.update(record, (trial) => {
          trial.state = stateIn(record);
          if (record.values !== null) trial.values = valuesIn(record.values);
        });
      case operations.setTrialIntermediateValue:
        return this.update(record, (trial) => {
          trial.intermediateValues.set(countIn(record, 'step'), numberOf(record.intermediate_value));
        });
      default:
        if (!(Object.values(operations) as unknown[]).includes(record.op_code)) {
          throw new Error(`"op_code" must be an integer from 0 to 10, got ${show(record.op_code)}`);
        }
    }
  }

  private createStudy(record: Row): void {
    const name = textIn(record, 'study_name');
    if (this.byId.some((study) => study?.name === name)) return;
    const given: unknown[] = Array.isArray(record.directions) ? record.directions : [];
    const names = given.map((one) => (one === directions.minimize ? 'minimize' : 'maximize'));
    if (given.length === 0) throw new Error(`"directions" must be a list, got ${show(record.directions)}`);
    this.byId.push({ name, directions: names, trials: [] });
  }

  private deleteStudy(id: number): void {
    if (id < this.byId.length) this.byId[id] = undefined;
  }

  private createTrial(record: Row): void {
    const study = this.byId[countIn(record, 'study_id')];
    if (study === undefined) return;
    const { params = {}, distributions = {}, intermediate_values: intermediate = {}, value, values } = record;
    if (!isObject(params)) throw new Error(`"params" must be an object, got ${show(params)}`);
    if (!isObject(distributions)) throw new Error(`"distributions" must be an object, got ${show(distributions)}`);
    const trial: ReplayedTrial = {
      params: Object.fromEntries(
        Object.entries(params).map(([name, inside]) => [name, distributionIn(distributions, name)(inside)]),
      ),
      state: record.state === undefined ? trialStates.running : stateIn(record),
      values: Array.isArray(values) ? valuesIn(values) : value === undefined || value === null ? [] : [numberOf(value)],
      intermediateValues: new Map(
        Object.entries(isObject(intermediate) ? intermediate : {}).map(([step, one]) => [Number(step), numberOf(one)]),
      ),
    };
    study.trials.push(trial);
    this.trials.push(trial);
  }

  /** Changes a trial, unless there is none or it has ended: then its writer was too late. */
  private update(record: Row, change: (trial: ReplayedTrial) => void): void {
    const trial = this.trials[countIn(record, 'trial_id')];
    if (trial !== undefined && ['running', 'waiting'].includes(stateOf(trial.state))) change(trial);
  }
}

function stateOf(code: number): OptunaTrial['state'] {
  return Object.entries(trialStates).find(([, value]) => value === code)![0] as OptunaTrial['state'];
}

function stateIn({ state }: Row): number {
  const isState = (Object.values(trialStates) as unknown[]).includes(state);
  if (!isState) throw new Error(`"state" must be an integer from 0 to 4, got ${show(state)}`);
  return state as number;
}

/** Turns a value as the journal has it, a number or the index of a choice, into that of the trial. */
function distributionIn(row: Row, key: string): (inside: unknown) => unknown {
  const distribution = parsePythonJson(textIn(row, key));
  const { name, attributes } = isObject(distribution) ? distribution : {};
  const choices: unknown = isObject(attributes) ? attributes.choices : undefined;
  if (typeof name !== 'string') throw new Error(`${show(key)} must be a distribution of Optuna, got ${show(row[key])}`);
  if (name !== 'CategoricalDistribution') return numberOf;
  if (!Array.isArray(choices)) throw new Error(`${show(key)} must have a list of choices, got ${show(choices)}`);
  return (index) => {
    if (!Number.isInteger(index) || !((index as number) in choices)) {
      throw new Error(`${show(key)} must be the index of one of ${choices.length} choices, got ${show(index)}`);
    }
    return choices[index as number] as unknown;
  };
}

function textIn(row: Row, key: string): string {
  const value = Object.hasOwn(row, key) ? row[key] : undefined;
  if (typeof value !== 'string') throw new Error(`${show(key)} must be a string, got ${show(value)}`);
  return value;
}

function countIn(row: Row, key: string): number {
  const value = row[key];
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new Error(`${show(key)} must be an integer of at least 0, got ${show(value)}`);
  }
  return value as number;
}

function valuesIn(values: unknown): number[] {
  if (!Array.isArray(values)) throw new Error(`"values" must be a list, got ${show(values)}`);
  return values.map(numberOf);
}

function numberOf(value: unknown): number {
  if (value === null) return NaN;
  if (typeof value !== 'number') throw new Error(`must be a number, got ${show(value)}`);
  return value;
}
