/** The directory of a run: what it writes there, and reads to go on. */
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../utils/errors';
import { isFile, isThere, readObject, writeFileAtomic, writeJson, writing } from '../utils/files';
import { isObject } from '../utils/json';
import type { NamedArrays } from '../formats/ndarray';
import { asideFolder, isAsideDraft, isOfRun, runFiles } from './files';
import { bestRecord, readScore, type EpochRecord, type Score } from './metrics';
import { parsePosition, positionText, type Position } from './position';
import { writePredictions, type Predictions } from './predictions';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';

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
    const [last, previous] = [this.file(runFiles.last), this.file(runFiles.previous)];
    if (!isThere(previous)) return isThere(last) ? readCheckpoint(last) : undefined;
    try {
      return readCheckpoint(last);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      try {
        return { ...readCheckpoint(previous), warning: `${error.message}; going on from ${runFiles.previous}` };
      } catch (another) {
        throw new UserError(`${error.message}; and ${messageOf(another)}; --fresh starts over and keeps both aside`);
      }
    }
  }

  /** Saves all that is needed to go on, and keeps the checkpoint before. */
  saveLast({ params, position, tensors }: Checkpoint): void {
    writeCheckpoint(this.file(runFiles.last), { params, position, tensors }, this.file(runFiles.previous));
  }

  /** Gives a damaged `last` another name, so that it does not become the checkpoint before. */
  putDamagedAside(): void {
    const path = this.file(runFiles.last);
    if (isThere(path)) writing(this.file(runFiles.damaged), () => renameSync(path, this.file(runFiles.damaged)));
  }

  /** Saves the weights of the best epoch. */
  saveBest(weights: NamedArrays, record: EpochRecord): void {
    writeSafetensors(this.file(runFiles.best), weights, { epoch: String(record.epoch) });
  }

  /** The weights of the best epoch; a UserError where the file is missing, damaged, or of another epoch. */
  readBest({ epoch }: EpochRecord): NamedArrays {
    const path = this.file(runFiles.best);
    const { tensors, metadata } = readSafetensors(path);
    if (metadata.epoch !== String(epoch)) {
      throw new UserError(`${path}: has the weights of epoch ${metadata.epoch}, the best is epoch ${epoch}`);
    }
    return tensors;
  }

  /** Saves what the weights of an epoch predict for each image of a part. */
  savePredictions(part: 'val' | 'test', predictions: Predictions, epoch: number, classes: readonly string[]): void {
    writePredictions(this.file(part === 'val' ? runFiles.valPredictions : runFiles.testPredictions), predictions, {
      epoch,
      classes,
    });
  }

  /** Writes the metrics files from the history; `selectedOn` says on which images the best epoch is chosen. */
  writeMetrics(history: readonly EpochRecord[], selectedOn: string): void {
    const best = bestRecord(history);
    const last = history.at(-1);
    if (!best || !last) return;
    const summary = ({ epoch, val }: EpochRecord) => ({ ...val, epoch, selected_on: selectedOn });
    writeFileAtomic(this.file(runFiles.metrics), history.map((record) => `${JSON.stringify(record)}\n`).join(''));
    writeJson(this.file(runFiles.bestValidation), summary(best));
    writeJson(this.file(runFiles.lastValidation), summary(last));
  }

  /** Saves the score of the best epoch on the test images: it tells that the run has ended. */
  saveTestScore(score: Score, { epoch }: EpochRecord, selectedOn: string): void {
    writeJson(this.file(runFiles.test), { ...score, epoch, selected_on: selectedOn });
  }

  /** Whether the run is over: a test score is the last thing that it writes. */
  isFinished(): boolean {
    return isFile(this.file(runFiles.test));
  }

  /** Whether it is over and no epoch came after: the test score is that of the best one. */
  hasTestScore(history: readonly EpochRecord[]): boolean {
    const path = this.file(runFiles.test);
    return isThere(path) && readScore(path).epoch === bestRecord(history)?.epoch;
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

  /** Why the run was given up, its numbers no longer finite; undefined where it was not. */
  diverged(): string | undefined {
    const { diverged } = this.facts();
    return typeof diverged === 'string' ? diverged : undefined;
  }

  /** What run.json says. */
  facts(): Record<string, unknown> {
    const path = this.file(runFiles.record);
    return isThere(path) ? readObject(path) : {};
  }

  /**
   * Moves all that a run wrote into a folder `before_<n>`, which has that name once all is in it, and returns its path.
   * params.json stays.
   */
  putAside(): string | undefined {
    const names = readdirSync(this.path);
    const begun = names.find(isAsideDraft);
    // Where this is cut short there must be nothing that a run could go on from.
    const order: string[] = [runFiles.last, runFiles.previous];
    const files = names.filter(isOfRun).sort((a, b) => order.indexOf(b) - order.indexOf(a));
    if (files.length === 0 && begun === undefined) return undefined;
    let n = 1;
    while (isThere(this.file(asideFolder(n)))) n++;
    const aside = this.file(asideFolder(n));
    const draft = this.file(begun ?? `.${asideFolder(n)}`);
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
  const metadata = { params: JSON.stringify(params), position: positionText(position) };
  writeSafetensors(path, tensors, metadata, previous);
}

/** Reads what `writeCheckpoint` wrote. A UserError of one line where it is damaged or has no position. */
export function readCheckpoint(path: string): FoundCheckpoint {
  const { tensors, metadata } = readSafetensors(path);
  const [params, position] = [paramsIn(metadata.params), parsePosition(metadata.position)];
  if (params && position) return { params, position, tensors, path };
  throw new UserError(`${path}: has no position to go on from; --fresh starts over and keeps it aside`);
}

function paramsIn(text: string | undefined): object | undefined {
  try {
    const params: unknown = JSON.parse(text ?? '');
    return isObject(params) ? params : undefined;
  } catch {
    return undefined;
  }
}
