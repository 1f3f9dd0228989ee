/** What a run prints before its first step and after its last. */
import { dirname } from 'node:path';
import type { EpochRecord } from '../../runs/metrics';
import type { RunDirectory } from '../../runs/run_directory';
import { commandLine } from '../../utils/commands';
import type { Log } from '../../utils/logger';
import { availableBytes } from '../../utils/memory';
import { sparkline } from '../../utils/sparkline';
import { counted } from '../../utils/words';
import { memoryAdvice } from '../training/memory_advice';
import type { Params } from './params';
import type { Start } from './resume';
import type { Setup } from './setup';
import { unusedInWords, unusedKeys } from './unused_keys';

/** Logs what is trained on which images, with warnings for the user. `remarks` are the lines collected so far. */
export function announce(
  log: Log,
  run: RunDirectory,
  setup: Setup,
  {
    start,
    params,
    given,
    aside,
    remarks,
  }: {
    readonly start: Start;
    readonly params: Params;
    readonly given: Readonly<Record<string, unknown>>;
    readonly aside: string | undefined;
    readonly remarks: readonly (readonly [level: 'info' | 'warn', line: string])[];
  },
): void {
  const { dataset, train, teacher, model, device, trainer, batchSize } = setup;
  const { last, position, weights } = start;
  if (aside !== undefined) log.info(`Moved earlier results to ${aside}`);
  log.info(`Loading the datasets: ${dataset.name}, ${counted(train.length, 'image')} to train on`);
  log.info('- done.');
  if (teacher) log.info(`Experiment - model version: ${params.model_version}`);
  const unused = unusedInWords(unusedKeys(given, params, model), params);
  const warnings = [unused, ...(dataset.remarks ?? []), last?.warning].filter((line) => line !== undefined);
  for (const line of warnings) log.warn(line);
  for (const [level, line] of remarks) log[level](line);
  log.info(`Device: ${device.description}`);
  if (device.warning !== undefined) log.warn(device.warning);
  const { name } = device.backend;
  const before = last && run.device();
  if (before !== undefined && before !== name) {
    log.warn(`The run started on ${before}: its results are no longer bit-identical to an uninterrupted run`);
  }
  const needed = name === 'cpu' ? trainer.neededBytes : 0;
  if (needed > availableBytes()) log.warn(memoryAdvice(batchSize, needed, availableBytes()));
  log.info(`Starting training for ${counted(params.num_epochs, 'epoch')}`);
  if (weights !== undefined) log.info(`Restoring parameters from ${weights}`);
  if (last) log.info(`Resuming after epoch ${position.epoch}, step ${position.step}`);
}

/** The validation accuracy by epoch, or the loss where there is none, as a sparkline, and how to compare the run with others, for a terminal. */
export function learningCurve(directory: string, history: readonly EpochRecord[]): string {
  const values = history.map(({ val }) => val.accuracy ?? val.loss);
  const [first = NaN, last = NaN] = [values[0], values.at(-1)];
  const metric = history[0]?.val.accuracy === undefined ? 'loss' : 'accuracy';
  const curve = `Validation ${metric} ${first.toFixed(3)} ${sparkline(values)} ${last.toFixed(3)}`;
  const command = `${commandLine('report')} --parent_dir ${dirname(directory)}`;
  return `${curve}\nResults are in ${directory}; compare runs with: ${command}\n`;
}
