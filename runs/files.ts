/** The names of all that a run and a search keep in their directories. Nobody else spells them. */
import { join } from 'node:path';

/** Files and folders of a run. */
export const runFiles = {
  /** Written by the user, and by a search for each of its trials. */
  params: 'params.json',
  /** What was trained, on what, and how long it took. */
  record: 'run.json',
  log: 'train.log',
  /** One line for each epoch. */
  metrics: 'metrics.jsonl',
  bestValidation: 'metrics_val_best_weights.json',
  lastValidation: 'metrics_val_last_weights.json',
  /** The test score of the best epoch: the last thing that a run writes. */
  test: 'metrics_test_best_weights.json',
  best: 'best.safetensors',
  /** The checkpoint to go on from, and the one before it. */
  last: 'last.safetensors',
  previous: 'previous.safetensors',
  damaged: 'last.damaged.safetensors',
  /** What the best weights predict for each image. */
  valPredictions: 'predictions_val.safetensors',
  testPredictions: 'predictions_test.safetensors',
  /** TensorBoard's. */
  events: 'events',
  /** Folder of evaluate.ts. */
  evaluation: 'evaluation',
  /** Of export.ts: the student in each precision, and how it does. */
  float32: 'student.onnx',
  int8: 'student.int8.onnx',
  exported: 'export.json',
  lock: '.lock',
  teacherCache: '.teacher_cache',
} as const;

/** Files of a search, in the directory whose folders are its trials. */
export const searchFiles = {
  settings: 'search.json',
  journal: 'search.journal.jsonl',
  log: 'search_hyperparameters.log',
  /** In the directory of a trial: the stderr of its trainer; the number of its Slurm job, and the batch script. */
  launcherLog: 'launcher.log',
  job: 'slurm.job',
  script: 'slurm.sh',
} as const;

/** Files that hold weights under a name such as `best`: ours first, then that of the PyTorch tool whose runs can be gone on from. */
export function weightFiles(name: string): [ours: string, foreign: string] {
  return [`${name}.safetensors`, `${name}.pth.tar`];
}

/** The log of a trainer's start number `start`, once a later one has begun. */
export function launcherLogOf(start: number): string {
  return `launcher.${start}.log`;
}

/** The directory of a repeat with another seed: that of the first one, or a folder in it. */
export function repeatDirectory(directory: string, repeat: number): string {
  return repeat === 0 ? directory : join(directory, `repeat_${repeat}`);
}

/** The folder of a run that holds its stages, each a run of its own. */
export const STAGES = 'stages';

/** The folder of a stage, from 1, in `STAGES`. */
export function stageFolder(index: number, name: string): string {
  return `${index}_${name}`;
}

/** The folder of a run that holds what `--fresh` put aside. */
export function asideFolder(n: number): string {
  return `before_${n}`;
}

/** A folder that is to become that of what is put aside, once all is in it. */
export function isAsideDraft(name: string): boolean {
  return /^\.before_\d+$/.test(name);
}

/** The folder of a run that holds the same training once more. */
export function repetitionFolder(n: number): string {
  return `again_${n}`;
}

/** What lies below a run and is no result of its own, as patterns: what was put aside, repetitions, and stages. */
export const notOwnRuns = ['**/{before,again}_+([0-9])/**', `**/${STAGES}/+([0-9])_*/**`];

/** Is this a file that a run writes, and not, say, the directory of another experiment below it? */
export function isOfRun(name: string): boolean {
  const { log, record, exported, events, evaluation, float32, int8, valPredictions, testPredictions } = runFiles;
  const own: readonly string[] = [log, record, exported, events, evaluation, float32, int8];
  const predictions: readonly string[] = [valPredictions, testPredictions];
  const weights = ['best', 'last', 'previous', 'last.damaged'].flatMap(weightFiles);
  return [...own, ...predictions, ...weights].includes(name) || /^metrics.*\.jsonl?$/.test(name);
}
