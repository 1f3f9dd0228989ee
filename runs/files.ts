/** The names of all files that runs and searches write. No other module spells them out. */
import { basename, dirname, join, resolve } from 'node:path';
import { isFile } from '../utils/files';

/** Files and folders of a run. */
export const runFiles = {
  /** Written by the user, and by a search for each of its trials. */
  params: 'params.json',
  /** What was trained, on which machine, and how long it took. */
  record: 'run.json',
  log: 'train.log',
  /** One line for each epoch. */
  metrics: 'metrics.jsonl',
  bestValidation: 'metrics_val_best_weights.json',
  lastValidation: 'metrics_val_last_weights.json',
  /** The test score of the best epoch: the last thing that a run writes. */
  test: 'metrics_test_best_weights.json',
  best: 'best.safetensors',
  /** The layers that a method trained beside the best weights, where they are what maps the student to the teacher. */
  bestHeads: 'best_heads.safetensors',
  /** The checkpoint to resume from, and the one before it. */
  last: 'last.safetensors',
  previous: 'previous.safetensors',
  damaged: 'last.damaged.safetensors',
  /** The predictions of the best weights for each image. */
  valPredictions: 'predictions_val.safetensors',
  testPredictions: 'predictions_test.safetensors',
  /** Those of the teacher for a sample of the test images, and some of these images themselves. */
  teacherPredictions: 'predictions_teacher.safetensors',
  testImages: 'images_test.safetensors',
  /** TensorBoard's. */
  events: 'events',
  /** Folder of evaluate.ts. */
  evaluation: 'evaluation',
  /** Written by export.ts: the student in each precision, and its measurements. */
  float32: 'student.onnx',
  int8: 'student.int8.onnx',
  exported: 'export.json',
  lock: '.lock',
  teacherCache: '.teacher_cache',
} as const;

/** Files of a run that trackers of experiments keep a copy of. */
export const trackedFiles = [runFiles.params, runFiles.record, runFiles.best, runFiles.exported];

/** Files of a search, in the directory whose folders are its trials. */
export const searchFiles = {
  settings: 'search.json',
  journal: 'search.journal.jsonl',
  log: 'search_hyperparameters.log',
  /** In the directory of a trial: the stderr of its trainer, the ID of its Slurm job, and the batch script. */
  launcherLog: 'launcher.log',
  job: 'slurm.job',
  script: 'slurm.sh',
  /** The ID of its job of Ray. */
  rayJob: 'ray.job',
} as const;

/**
 * Files that hold weights under a name such as `best`: ours first, then that of the PyTorch tool whose runs can be
 * resumed.
 */
export function weightFiles(name: string): [ours: string, foreign: string] {
  return [`${name}.safetensors`, `${name}.pth.tar`];
}

/** The log of start number `start` of a trainer, once a later one has begun. */
export function launcherLogOf(start: number): string {
  return `launcher.${start}.log`;
}

/**
 * The directory of a repeat with another seed: a folder in the directory of the first run, or that directory itself.
 */
export function repeatDirectory(directory: string, repeat: number): string {
  return repeat === 0 ? directory : join(directory, `repeat_${repeat}`);
}

/** The folder with the stages of a run, each a run of its own. */
export const STAGES = 'stages';

/** The folder in `STAGES` of a stage, counted from 1. */
export function stageFolder(index: number, name: string): string {
  return `${index}_${name}`;
}

/** The folder with the results that `--fresh` set aside. */
export function asideFolder(n: number): string {
  return `before_${n}`;
}

/** The temporary name of that folder, until everything has been moved there. */
export function isAsideDraft(name: string): boolean {
  return /^\.before_\d+$/.test(name);
}

/** The folder with a repetition of the same training. */
export function repetitionFolder(n: number): string {
  return `again_${n}`;
}

/** The run that a repeat, a repetition or a stage belongs to: the run itself if it is none of these. */
export function topmostRun(directory: string): string {
  const path = resolve(directory);
  const parent = dirname(path);
  const isStage = basename(parent) === STAGES && /^\d+_/.test(basename(path));
  const isRepeat = /^(repeat|again)_\d+$/.test(basename(path));
  const owner = isStage ? dirname(parent) : isRepeat ? parent : undefined;
  return owner !== undefined && isFile(join(owner, runFiles.params)) ? topmostRun(owner) : path;
}

/** Patterns of folders inside a run that are not results of their own: results set aside, repetitions, and stages. */
export const notOwnRuns = ['**/{before,again}_+([0-9])/**', `**/${STAGES}/+([0-9])_*/**`];

/**
 * Whether a run writes a file or folder of this name, as opposed to, say, the directory of another experiment below it.
 */
export function isOfRun(name: string): boolean {
  const { log, record, exported, events, evaluation, float32, int8, valPredictions, testPredictions } = runFiles;
  const { teacherPredictions, testImages, bestHeads } = runFiles;
  const own: readonly string[] = [log, record, exported, events, evaluation, float32, int8, bestHeads];
  const predictions: readonly string[] = [valPredictions, testPredictions, teacherPredictions, testImages];
  const weights = ['best', 'last', 'previous', 'last.damaged'].flatMap(weightFiles);
  return [...own, ...predictions, ...weights].includes(name) || /^metrics.*\.jsonl?$/.test(name);
}
