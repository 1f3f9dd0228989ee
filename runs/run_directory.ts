/** The directory of a run: what a run writes there, and reads to resume. */
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { NamedArrays } from '../formats/ndarray';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { messageOf, UserError } from '../utils/errors';
import { isFile, isThere, readObject, writeFileAtomic, writeJson, writing } from '../utils/files';
import { isObject } from '../utils/json';
import { asideFolder, isAsideDraft, isOfRun, runFiles } from './files';
import { bestRecord, readScore, type EpochRecord, type Score } from './metrics';
import { parsePosition, positionText, type Position } from './position';
import { writePredictions, writeTeacherPredictions, type Predictions, type TeacherPredictions } from './predictions';
import { writeTestImages, type TestImages } from './test_images';

export interface Checkpoint {
  /** The params of the run, validated. */
  readonly params: object;
  readonly position: Position;
  readonly tensors: NamedArrays;
}

/** A checkpoint found at `path`, with a warning if it is not the last one. */
export interface FoundCheckpoint extends Checkpoint {
  readonly path: string;
  readonly warning?: string;
}

export interface TestResults {
  readonly predictions: Predictions;
  /** For a sample of the images. */
  readonly teacher: TeacherPredictions | undefined;
  readonly images: TestImages | undefined;
}

export class RunDirectory {
  constructor(readonly path: string) {}

  file(name: string): string {
    return join(this.path, name);
  }

  /**
   * The checkpoint to resume from: `last`, or the previous one if `last` is damaged or missing; undefined if the run
   * has not saved any. Throws a UserError of one line if none can be read.
   */
  readLast(): FoundCheckpoint | undefined {
    const [last, previous] = [this.file(runFiles.last), this.file(runFiles.previous)];
    if (!isThere(previous)) return isThere(last) ? readCheckpoint(last) : undefined;
    try {
      return readCheckpoint(last);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      try {
        return { ...readCheckpoint(previous), warning: `${error.message}; resuming from ${runFiles.previous}` };
      } catch (another) {
        throw new UserError(`${error.message}; and ${messageOf(another)}; --fresh starts over and keeps both files`);
      }
    }
  }

  /** Saves all that is needed to resume, and keeps the previous checkpoint. */
  saveLast({ params, position, tensors }: Checkpoint): void {
    writeCheckpoint(this.file(runFiles.last), { params, position, tensors }, this.file(runFiles.previous));
  }

  /** Renames a damaged `last`, so that it does not become the previous checkpoint. */
  putDamagedAside(): void {
    const path = this.file(runFiles.last);
    if (isThere(path)) writing(this.file(runFiles.damaged), () => renameSync(path, this.file(runFiles.damaged)));
  }

  /** Saves the weights of the best epoch, and those of `heads` beside them if there are any. */
  saveBest(weights: NamedArrays, record: EpochRecord, heads: NamedArrays = new Map()): void {
    const metadata = { epoch: String(record.epoch) };
    if (heads.size > 0) writeSafetensors(this.file(runFiles.bestHeads), heads, metadata);
    writeSafetensors(this.file(runFiles.best), weights, metadata);
  }

  /**
   * The weights of the best epoch, with the layers beside them if they were saved; throws a UserError if a file is missing,
   * damaged, or from another epoch.
   */
  readBest({ epoch }: { readonly epoch?: number | string }): NamedArrays {
    const tensors = this.readWeights(runFiles.best, epoch);
    const hasHeads = isThere(this.file(runFiles.bestHeads));
    return hasHeads ? new Map([...tensors, ...this.readWeights(runFiles.bestHeads, epoch)]) : tensors;
  }

  private readWeights(name: string, epoch: number | string | undefined): NamedArrays {
    const path = this.file(name);
    const { tensors, metadata } = readSafetensors(path);
    if (metadata.epoch !== String(epoch)) {
      throw new UserError(`${path}: holds the weights of epoch ${metadata.epoch}, but the best epoch is ${epoch}`);
    }
    return tensors;
  }

  /** Saves the predictions of the weights of an epoch for each validation image. */
  saveValPredictions(predictions: Predictions, epoch: number, classes: readonly string[]): void {
    writePredictions(this.file(runFiles.valPredictions), predictions, { epoch, classes });
  }

  /** Saves what the weights of an epoch, and the teacher, make of the test images, and some of these. */
  saveTestResults({ predictions, teacher, images }: TestResults, epoch: number, classes: readonly string[]): void {
    writePredictions(this.file(runFiles.testPredictions), predictions, { epoch, classes });
    if (teacher) writeTeacherPredictions(this.file(runFiles.teacherPredictions), teacher);
    if (images) writeTestImages(this.file(runFiles.testImages), images);
  }

  /** Writes the metrics files from the history; `selectedOn` is the split on which the best epoch is chosen. */
  writeMetrics(history: readonly EpochRecord[], selectedOn: string): void {
    const best = bestRecord(history);
    const last = history.at(-1);
    if (!best || !last) return;
    const summary = ({ epoch, val }: EpochRecord) => ({ ...val, epoch, selected_on: selectedOn });
    writeFileAtomic(this.file(runFiles.metrics), history.map((record) => `${JSON.stringify(record)}\n`).join(''));
    writeJson(this.file(runFiles.bestValidation), summary(best));
    writeJson(this.file(runFiles.lastValidation), summary(last));
  }

  /** Saves the score of the best epoch on the test images, which marks the run as finished. */
  saveTestScore(score: Score, { epoch }: EpochRecord, selectedOn: string): void {
    writeJson(this.file(runFiles.test), { ...score, epoch, selected_on: selectedOn });
  }

  /** Whether the run is finished: the test score is the last file that it writes. */
  isFinished(): boolean {
    return isFile(this.file(runFiles.test));
  }

  /** Whether it is finished and no epoch followed: the test score is that of the best epoch. */
  hasTestScore(history: readonly EpochRecord[]): boolean {
    const path = this.file(runFiles.test);
    return isThere(path) && readScore(path).epoch === bestRecord(history)?.epoch;
  }

  /** Seconds of training so far, from run.json; the time of killed processes is missing. */
  secondsSpent(): number {
    const { seconds } = this.facts();
    return typeof seconds === 'number' ? seconds : 0;
  }

  /** The device that the run used last. */
  device(): string | undefined {
    const { device } = this.facts();
    return typeof device === 'string' ? device : undefined;
  }

  /** Why the run was given up because of numbers that are not finite; undefined if it was not. */
  diverged(): string | undefined {
    const { diverged } = this.facts();
    return typeof diverged === 'string' ? diverged : undefined;
  }

  /** The content of run.json. */
  facts(): Record<string, unknown> {
    const path = this.file(runFiles.record);
    return isThere(path) ? readObject(path) : {};
  }

  /**
   * Moves all results of a run into a folder and returns its path. The folder gets its name `before_<n>` when
   * everything is in it. params.json stays.
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

/** Writes a checkpoint; keeps the existing one as `previous`, if given. */
export function writeCheckpoint(path: string, { params, position, tensors }: Checkpoint, previous?: string): void {
  const metadata = { params: JSON.stringify(params), position: positionText(position) };
  writeSafetensors(path, tensors, metadata, previous);
}

/** Reads a file of `writeCheckpoint`. Throws a UserError of one line if it is damaged or has no position. */
export function readCheckpoint(path: string): FoundCheckpoint {
  const { tensors, metadata } = readSafetensors(path);
  const [params, position] = [paramsIn(metadata.params), parsePosition(metadata.position)];
  if (params && position) return { params, position, tensors, path };
  throw new UserError(`${path}: has no position to resume from; --fresh starts over and keeps the file`);
}

function paramsIn(text: string | undefined): object | undefined {
  try {
    const params: unknown = JSON.parse(text ?? '');
    return isObject(params) ? params : undefined;
  } catch {
    return undefined;
  }
}
