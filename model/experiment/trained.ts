/** A trained experiment, opened for evaluation or export. */
import { openDevice, type Backend } from '../../engine/backends/index';
import type { NamedArrays } from '../../formats/ndarray';
import { runFiles } from '../../runs/files';
import { RunDirectory } from '../../runs/run_directory';
import { notice, warning } from '../../utils/cli';
import { commandLine } from '../../utils/commands';
import type { Device } from '../../utils/devices';
import { UserError } from '../../utils/errors';
import { threadsHere } from '../../utils/threads';
import type { Dataset } from '../data/dataset';
import { loadDataset } from '../data/index';
import type { Model } from '../nets/model';
import {
  checkpointPath,
  loadWeights,
  methodsOf,
  normalizationNotice,
  readExperiment,
  studentOf,
  trainsVectors,
} from './experiment';
import type { Params } from './params';

export interface TrainedExperiment {
  readonly run: RunDirectory;
  readonly params: Params;
  readonly dataset: Dataset;
  readonly model: Model;
  /** The checkpoint, or its replacement. */
  readonly file: string;
  /** Threads of this machine for evaluation. */
  readonly threads: number;
}

/**
 * Reads the experiment of a directory, and loads its images. `restore` names the checkpoint: `best`, `last` or a file.
 * `prepare` is called before any expensive work, and may name another file to use instead. Throws UserErrors.
 */
export async function openTrained(
  directory: string,
  restore: string,
  prepare?: (params: Params) => string | undefined,
): Promise<TrainedExperiment> {
  const run = new RunDirectory(directory);
  const { params } = readExperiment(run.file(runFiles.params));
  const file = prepare?.(params) ?? checkpointPath(run, restore);
  const dataset = await loadDataset({ dir: params.data_dir, ...params.dataset });
  return { run, params, dataset, model: studentOf(params, dataset), file, threads: threadsHere(params.threads) };
}

/** Whether a checkpoint has a trained classifier: those of a run that leaves it alone have none, a file from elsewhere may. */
export function hasClassifier(params: Params, restore: string): boolean {
  return !trainsVectors(params) || (restore !== 'best' && restore !== 'last');
}

/** Refuses a checkpoint without a trained classifier. */
export function refuseWithoutClassifier(directory: string, params: Params, restore: string): void {
  if (hasClassifier(params, restore)) return;
  const names = methodsOf(params).map(({ name }) => JSON.stringify(name));
  throw new UserError(
    `${directory}: "method" is ${names.join(', ')}, which trains no classifier, so that there are no logits; ` +
      `${commandLine('export')} writes its vectors as an ONNX file`,
  );
}

/** The weights in its checkpoint; prints notes about them on stderr. */
export async function trainedWeights({ run, params, dataset, model, file }: TrainedExperiment): Promise<NamedArrays> {
  const weights = await loadWeights(file, model, notice);
  notice(normalizationNotice(file, run, params, dataset));
  return weights;
}

/** The device of a flag, or else of its params; warns on stderr if it differs from the request. */
export async function deviceFor({ device }: Params, flag: Device | undefined): Promise<Backend> {
  const opened = await openDevice(flag ?? device ?? 'auto');
  warning(opened.warning);
  return opened.backend;
}
