/** The directory of a run: the names of its files, and where its training stands. */
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../utils/errors';
import { isThere, readJson, writeFileAtomic, writeJson, writing } from '../utils/files';
import { isObject } from '../utils/json';
import type { NamedArrays } from '../formats/ndarray';
import { isPosition } from './position';
import { writePredictions, type Predictions } from './predictions';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';

export interface Score {
  readonly accuracy: number;
  readonly loss: number;
  readonly logit_difference?: number;
}

/** Sums over examples, and over how many of them, by the name of what is summed. */
export type Sums = Readonly<Record<string, { readonly sum: number; readonly examples: number }>>;

/** One line of metrics.jsonl. */
export interface EpochRecord {
  readonly epoch: number;
  readonly learning_rate: number;
  readonly train: Readonly<Record<string, number>>;
  readonly val: Score;
  /** Optimizer steps that were left out as they were not finite, where there were some. */
  readonly skipped?: number;
}

/** What became of steps that were not finite. */
export interface Trouble {
  /** Optimizer steps that were left out. */
  readonly skipped: number;
  /** How many of the last ones, over epochs. */
  readonly inARow: number;
  /** Number of the last optimizer step that was left out, where micro-batches make one: the rest of it is left out too. */
  readonly update?: number;
  /** How often the run went back to the beginning of an epoch. */
  readonly restored: number;
}

/** Where training stands. With the state of the last step it is all that the next step depends on. */
export interface Position {
  /** Epochs that are finished. */
  readonly epoch: number;
  /** Steps that are done in the epoch under way. */
  readonly step: number;
  /** Sums over the examples of the epoch under way. */
  readonly sums: Sums;
  readonly history: readonly EpochRecord[];
  /** Absent where there was none. */
  readonly trouble?: Trouble;
}

export interface Checkpoint {
  /** What the run was trained with, as it was checked. */
  readonly params: object;
  readonly position: Position;
  readonly tensors: NamedArrays;
}

/** A checkpoint as it was found in `path`, with a warning where that is not the last one. */
export interface FoundCheckpoint extends Checkpoint {
  readonly path: string;
  readonly warning?: string;
}

const LAST = 'last.safetensors';
/** The checkpoint before the last. */
const PREVIOUS = 'previous.safetensors';
const DAMAGED = 'last.damaged.safetensors';

export const START: Position = { epoch: 0, step: 0, sums: {}, history: [] };

export class RunDirectory {
  constructor(readonly path: string) {}

  file(name: string): string {
    return join(this.path, name);
  }

  /**
   * The checkpoint to go on from: `last`, or the one before where `last` is damaged or gone; undefined where the run has not
   * saved any. A UserError of one line where none can be read.
   */
  readLast(): FoundCheckpoint | undefined {
    const [last, previous] = [this.file(LAST), this.file(PREVIOUS)];
    if (!isThere(previous)) return isThere(last) ? readCheckpoint(last) : undefined;
    try {
      return readCheckpoint(last);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      try {
        return { ...readCheckpoint(previous), warning: `${error.message}; going on from ${PREVIOUS}` };
      } catch (another) {
        throw new UserError(`${error.message}; and ${messageOf(another)}; --fresh starts over and keeps both aside`);
      }
    }
  }

  /** Saves all that is needed to go on, and keeps the checkpoint before. */
  saveLast({ params, position, tensors }: Checkpoint): void {
    writeCheckpoint(this.file(LAST), { params, position, tensors }, this.file(PREVIOUS));
  }

  /** Gives a damaged `last` another name, so that it does not become the checkpoint before. */
  putDamagedAside(): void {
    const path = this.file(LAST);
    if (isThere(path)) writing(this.file(DAMAGED), () => renameSync(path, this.file(DAMAGED)));
  }

  /** Saves the weights of the best epoch. */
  saveBest(weights: NamedArrays, record: EpochRecord): void {
    writeSafetensors(this.file('best.safetensors'), weights, { epoch: String(record.epoch) });
  }

  /** The weights of the best epoch; a UserError where the file is missing, damaged, or of another epoch. */
  readBest({ epoch }: EpochRecord): NamedArrays {
    const path = this.file('best.safetensors');
    const { tensors, metadata } = readSafetensors(path);
    if (metadata.epoch !== String(epoch)) {
      throw new UserError(`${path}: has the weights of epoch ${metadata.epoch}, the best is epoch ${epoch}`);
    }
    return tensors;
  }

  /** Saves what the weights of an epoch predict for each image of a part. */
  savePredictions(part: 'val' | 'test', predictions: Predictions, epoch: number, classes: readonly string[]): void {
    writePredictions(this.file(`predictions_${part}.safetensors`), predictions, { epoch, classes });
  }

  /** Writes the metrics files from the history; `selectedOn` says on which images the best epoch is chosen. */
  writeMetrics(history: readonly EpochRecord[], selectedOn: string): void {
    const best = bestRecord(history);
    const last = history.at(-1);
    if (!best || !last) return;
    const summary = ({ epoch, val }: EpochRecord) => ({ ...val, epoch, selected_on: selectedOn });
    writeFileAtomic(this.file('metrics.jsonl'), history.map((record) => `${JSON.stringify(record)}\n`).join(''));
    writeJson(this.file('metrics_val_best_weights.json'), summary(best));
    writeJson(this.file('metrics_val_last_weights.json'), summary(last));
  }

  /** Saves the score of the best epoch on the test images: it tells that the run has ended. */
  saveTestScore(score: Score, { epoch }: EpochRecord, selectedOn: string): void {
    writeJson(this.file('metrics_test_best_weights.json'), { ...score, epoch, selected_on: selectedOn });
  }

  /** Whether the test score of the best epoch is there, which a run writes at its end. */
  hasTestScore(history: readonly EpochRecord[]): boolean {
    const path = this.file('metrics_test_best_weights.json');
    if (!isThere(path)) return false;
    const score = readJson(path);
    return isObject(score) && score.epoch === bestRecord(history)?.epoch;
  }

  /** Seconds that training took so far, as run.json has it; what a killed process took is not in it. */
  secondsSpent(): number {
    const { seconds } = this.facts();
    return typeof seconds === 'number' ? seconds : 0;
  }

  /** What the run ran on last. */
  device(): string | undefined {
    const { device } = this.facts();
    return typeof device === 'string' ? device : undefined;
  }

  /** What run.json says. */
  facts(): Record<string, unknown> {
    const path = this.file('run.json');
    const facts = isThere(path) ? readJson(path) : undefined;
    return isObject(facts) ? facts : {};
  }

  /**
   * Moves all that a run wrote into a folder `before_<n>`, which has that name once all is in it, and returns its path.
   * params.json stays.
   */
  putAside(): string | undefined {
    const names = readdirSync(this.path);
    const begun = names.find((name) => /^\.before_\d+$/.test(name));
    // Where this is cut short there must be nothing that a run could go on from.
    const order = [LAST, PREVIOUS];
    const files = names.filter(isOfRun).sort((a, b) => order.indexOf(b) - order.indexOf(a));
    if (files.length === 0 && begun === undefined) return undefined;
    let n = 1;
    while (isThere(this.file(`before_${n}`))) n++;
    const aside = this.file(`before_${n}`);
    const draft = this.file(begun ?? `.before_${n}`);
    writing(aside, () => {
      mkdirSync(draft, { recursive: true });
      for (const name of files) renameSync(this.file(name), join(draft, name));
      renameSync(draft, aside);
    });
    return aside;
  }
}

/** Writes a checkpoint; the one that is there is kept as `previous`, where that is given. */
export function writeCheckpoint(path: string, { params, position, tensors }: Checkpoint, previous?: string): void {
  const metadata = { params: JSON.stringify(params), position: JSON.stringify(position, namingNonFinite) };
  writeSafetensors(path, tensors, metadata, previous);
}

/** Reads what `writeCheckpoint` wrote. A UserError of one line where it is damaged or has no position. */
export function readCheckpoint(path: string): FoundCheckpoint {
  const { tensors, metadata } = readSafetensors(path);
  try {
    const params = JSON.parse(metadata.params!) as unknown;
    const position: unknown = JSON.parse(metadata.position!, withNonFinite);
    if (!isObject(params) || !isPosition(position)) throw new Error('of another kind');
    return { params, position, tensors, path };
  } catch {
    throw new UserError(`${path}: has no position to go on from; --fresh starts over and keeps it aside`);
  }
}

const nonFinite = ['NaN', 'Infinity', '-Infinity'];

/** JSON has no numbers that are not finite: in a position they are written as texts, of which it has no such others. */
function namingNonFinite(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Earlier versions wrote null for them. */
function withNonFinite(_key: string, value: unknown): unknown {
  return value === null || nonFinite.includes(value as string) ? Number(value ?? NaN) : value;
}

/** The epoch with the highest validation accuracy; the later one of a tie. */
export function bestRecord(history: readonly EpochRecord[]): EpochRecord | undefined {
  return history.reduce<EpochRecord | undefined>(
    (best, record) => (best && record.val.accuracy < best.val.accuracy ? best : record),
    undefined,
  );
}

/** Is this a file that a run writes, and not, say, the directory of another experiment below it? */
function isOfRun(name: string): boolean {
  const weights = '(best|last|previous|last\\.damaged)\\.(safetensors|pth\\.tar)|student(\\.int8)?\\.onnx';
  const predictions = 'predictions_(val|test)\\.safetensors';
  const names = new RegExp(
    `^(train\\.log|(run|export)\\.json|events|evaluation|metrics.*\\.jsonl?|${weights}|${predictions})$`,
  );
  return names.test(name);
}
