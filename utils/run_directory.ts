/** The directory of a run: the names of its files, and where its training stands. */
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from './errors';
import { readJson, writeFileAtomic, writeJson } from './files';
import type { NamedArrays } from './ndarray';
import type { Params } from './params';
import { writePredictions, type Predictions } from './predictions';
import { readSafetensors, writeSafetensors } from './safetensors';

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
}

export interface Checkpoint {
  readonly params: Params;
  readonly position: Position;
  readonly tensors: NamedArrays;
}

export const START: Position = { epoch: 0, step: 0, sums: {}, history: [] };

export class RunDirectory {
  constructor(readonly path: string) {}

  file(name: string): string {
    return join(this.path, name);
  }

  /** The checkpoint `last`, or undefined if the run has not saved any. */
  readLast(): Checkpoint | undefined {
    const path = this.file('last.safetensors');
    if (!existsSync(path)) return undefined;
    const { tensors, metadata } = readSafetensors(path);
    const { params, position } = metadata;
    try {
      return { params: JSON.parse(params!) as Params, position: JSON.parse(position!) as Position, tensors };
    } catch {
      throw new UserError(`${path}: has no position to go on from; --fresh starts over and keeps it aside`);
    }
  }

  /** Saves all that is needed to go on. */
  saveLast({ params, position, tensors }: Checkpoint): void {
    const metadata = { params: JSON.stringify(params), position: JSON.stringify(position) };
    writeSafetensors(this.file('last.safetensors'), tensors, metadata);
  }

  /** Saves the weights of the best epoch. */
  saveBest(weights: NamedArrays, record: EpochRecord): void {
    writeSafetensors(this.file('best.safetensors'), weights, { epoch: String(record.epoch) });
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

  /** Whether the test score of the best epoch is there, which a run writes at its end. */
  hasTestScore(history: readonly EpochRecord[]): boolean {
    const path = this.file('metrics_test_best_weights.json');
    return existsSync(path) && (readJson(path) as { epoch: number }).epoch === bestRecord(history)?.epoch;
  }

  /** Seconds that training took so far, as run.json has it; what a killed process took is not in it. */
  secondsSpent(): number {
    const path = this.file('run.json');
    return existsSync(path) ? ((readJson(path) as { seconds?: number }).seconds ?? 0) : 0;
  }

  /** Moves all that a run wrote into a folder `before_<n>`, and returns its path. params.json stays. */
  putAside(): string | undefined {
    const keep = (name: string) => name === 'params.json' || name === '.lock' || name.startsWith('before_');
    const files = readdirSync(this.path, { withFileTypes: true })
      .filter((entry) => !keep(entry.name) && isOfRun(entry.name))
      .map((entry) => entry.name);
    if (files.length === 0) return undefined;
    let n = 1;
    while (existsSync(this.file(`before_${n}`))) n++;
    const aside = this.file(`before_${n}`);
    mkdirSync(aside);
    for (const name of files) renameSync(this.file(name), join(aside, name));
    return aside;
  }
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
  const weights = '(best|last)\\.(safetensors|pth\\.tar)|student(\\.int8)?\\.onnx';
  const predictions = 'predictions_(val|test)\\.safetensors';
  const names = new RegExp(
    `^(train\\.log|(run|export)\\.json|events|evaluation|metrics.*\\.jsonl?|${weights}|${predictions})$`,
  );
  return names.test(name);
}
