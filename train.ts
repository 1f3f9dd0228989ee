/**
 * Trains the experiment of a directory, alone or from a teacher, and goes on where it stopped:
 *
 *   npx ts-node train.ts --model_dir experiments/cnn_distill
 *   npx ts-node train.ts --model_dir experiments/cnn_distill --restore_file last
 */
import { join } from 'node:path';
import { flops } from './engine/flops';
import type { Graph } from './engine/graph';
import { adam, optimizerFeeds, OPTIMIZER_PREFIX, sgd } from './engine/optimizers';
import { Session, State, type Results } from './engine/session';
import { loadDataset } from './model/data';
import type { Split } from './model/data/dataset';
import { batches, partition } from './model/data/loader';
import { distillers } from './model/distillers';
import { allOf, Evaluator } from './model/evaluation';
import { catalogue, checkpointPath, restoredWeights, studentOf } from './model/experiment';
import { evaluationGraph, maskFeeds, parameterCount, shapesOf, trainingGraph } from './model/programs';
import { learningRate } from './model/schedules';
import { loadTeacher } from './model/teachers';
import { fitWeights } from './utils/checkpoints';
import { parseArguments, runMain } from './utils/cli';
import { UserError } from './utils/errors';
import { writeJson } from './utils/files';
import { flatten } from './utils/flatten';
import { onInterrupt } from './utils/interrupt';
import { acquireLock } from './utils/lock';
import { formatMetrics, openLog, type Log } from './utils/logger';
import { ndarray, type NamedArrays } from './utils/ndarray';
import { changedKeys, readParams, type Params } from './utils/params';
import { progressBar, type ProgressBar } from './utils/progress';
import { describeRun } from './utils/provenance';
import { bestRecord, RunDirectory, START, type Checkpoint, type EpochRecord } from './utils/run_directory';
import { readSafetensors } from './utils/safetensors';
import { EventWriter } from './utils/tensorboard';

const command = {
  name: 'train.ts',
  summary: 'Trains the experiment of a directory. An interrupted run goes on where it stopped.',
  flags: {
    model_dir: { type: 'string', help: 'directory with params.json; all results go there' },
    restore_file: { type: 'string', help: '"last" goes on; "best" or a file starts a new run from those weights' },
    fresh: { type: 'boolean', default: false, help: 'start over; what is there is kept in a folder before_<n>' },
  },
} as const;

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  if (args.model_dir === undefined)
    throw new UserError('--model_dir is missing: name the directory of an experiment', 2);
  if (args.fresh && args.restore_file === 'last')
    throw new UserError('--fresh starts over and --restore_file last goes on: give one of them', 2);
  const params = readParams(join(args.model_dir, 'params.json'), catalogue);
  const lock = acquireLock(args.model_dir);
  try {
    await train(new RunDirectory(args.model_dir), params, args);
  } finally {
    lock.release();
  }
}

async function train(
  run: RunDirectory,
  params: Params,
  args: { restore_file: string | undefined; fresh: boolean },
): Promise<void> {
  const began = performance.now();

  // Where do we stand? A run goes on from its last checkpoint unless it is told to start over.
  const startsFrom = args.restore_file === undefined || args.restore_file === 'last' ? undefined : args.restore_file;
  const last = args.fresh || startsFrom !== undefined ? undefined : run.readLast();
  if (args.restore_file === 'last' && !last) throw new UserError(`${run.file('last.safetensors')}: no such file`);
  if (last) refuseChanges(run, last, params);
  const position = last?.position ?? START;
  if (position.epoch >= params.num_epochs && run.hasTestScore(position.history)) {
    process.stdout.write(`${run.path}: finished after ${position.epoch} epoch(s); raise "num_epochs" to go on\n`);
    return;
  }

  // The images, and the student on them.
  const { threads } = params;
  const dataset = await loadDataset({ ...params.dataset, dir: params.data_dir }, downloadBar());
  const model = studentOf(params, dataset);
  const heldOut = params.validation === 'test' ? 0 : params.validation;
  const parts = partition(dataset.train.size, {
    validation: heldOut,
    subset: params.subset_percent,
    seed: params.seed,
  });
  const validation: { split: Split; indices: Uint32Array } =
    params.validation === 'test'
      ? { split: dataset.test, indices: allOf(dataset.test) }
      : { split: dataset.train, indices: parts.validation };

  // The teacher, and the training step: one graph for full batches, one for a smaller last batch.
  const distiller = distillers[params.method]!;
  const remarks: [level: keyof Log, line: string][] = [];
  const context = { threads, log: (...remark: [keyof Log, string]) => remarks.push(remark) };
  const teacher =
    distiller.needsTeacher && params.teacher !== 'none'
      ? await loadTeacher(params.teacher, model, dataset, context)
      : undefined;
  const { momentum, nesterov, weight_decay: weightDecay } = params;
  const optimizer = params.optimizer === 'adam' ? adam({ weightDecay }) : sgd({ momentum, nesterov, weightDecay });
  const stepGraph = (batchSize: number) =>
    trainingGraph(model, {
      batchSize,
      seed: params.seed,
      distiller,
      optimizer,
      alpha: params.alpha,
      temperature: params.temperature,
      klReduction: params.kl_reduction,
    });
  const fullBatch = Math.min(params.batch_size, parts.train.length);
  const remainder = parts.train.length % fullBatch;
  const graphs = [fullBatch, ...(remainder > 0 ? [remainder] : [])].map(stepGraph);
  const state = State.initial(graphs[0]!);
  const restored =
    startsFrom !== undefined
      ? await restoredWeights(checkpointPath(run, startsFrom), model)
      : last && fitWeights(run.file('last.safetensors'), last.tensors, shapesOf(graphs[0]!));
  for (const [name, array] of restored ?? []) state.set(name, array);

  // From here on the directory is written.
  const aside = last ? undefined : run.putAside();
  const log = openLog(run.file('train.log'));
  if (aside !== undefined) log.info(`Earlier results are kept in ${aside}`);
  log.info(`Loading the datasets: ${dataset.name}, ${parts.train.length} images to train on`);
  log.info('- done.');
  if (teacher) log.info(`Experiment - model version: ${params.model_version}`);
  for (const [level, line] of remarks) log[level](line);
  log.info(`Starting training for ${params.num_epochs} epoch(s)`);
  if (startsFrom !== undefined) log.info(`Restoring parameters from ${startsFrom}`);
  if (last) log.info(`Going on after epoch ${position.epoch}, step ${position.step}`);

  const programs = new Map<number, { graph: Graph; session: Session }>();
  for (const graph of graphs) {
    programs.set(graph.inputs.get('labels')!.shape[0]!, { graph, session: await Session.create(graph, { threads }) });
  }
  const description = {
    ...describeRun([command.name, ...process.argv.slice(2)]),
    seed: params.seed,
    device: 'cpu',
    threads,
    parameters: parameterCount(graphs[0]!),
    flops_per_image: flops(evaluationGraph(model)),
  };
  writeJson(run.file('run.json'), description);

  const stepsPerEpoch = Math.ceil(parts.train.length / fullBatch);
  const startStep = position.epoch * stepsPerEpoch + position.step;
  const events = new EventWriter(run.file('events'), startStep);
  events.hparams(startStep, flatten(params));
  const interrupt = onInterrupt();
  const seconds: number[] = [];
  const history = [...position.history];
  run.writeMetrics(history, selectedOn(params));

  for (let epoch = position.epoch + 1; epoch <= params.num_epochs; epoch++) {
    const epochBegan = performance.now();
    const rate = learningRate(params.schedule, params.learning_rate, epoch);
    log.info(`Epoch ${epoch}/${params.num_epochs}`);
    let step = epoch === position.epoch + 1 ? position.step : 0;
    const sums: Record<string, number> = step > 0 ? { ...position.sums } : {};
    const bar = progressBar(parts.train.length, 'images');

    for (const batch of batches(dataset.train, parts.train, {
      shape: dataset.shape,
      batchSize: fullBatch,
      seed: params.seed,
      epoch,
      shuffle: true,
      augment: params.augmentation === 'yes',
      start: step,
    })) {
      const globalStep = (epoch - 1) * stepsPerEpoch + step + 1;
      const { graph, session } = programs.get(batch.size)!;
      const results = await session.run(
        {
          images: ndarray('uint8', [batch.size, ...dataset.shape], batch.images),
          labels: ndarray('int32', [batch.size], batch.labels),
          ...(teacher && { teacherLogits: await teacher.logits(batch) }),
          ...optimizerFeeds(optimizer, globalStep, rate),
          ...maskFeeds(graph, params.seed, globalStep),
        },
        state,
      );
      step++;

      // Means over examples: every batch counts by its size.
      accumulate(sums, results, batch.size);
      const running = trainMetrics(sums);
      bar.update(sums.examples!, running);
      if (globalStep % params.save_summary_steps === 0) {
        events.scalars(globalStep, { ...prefixed('train', running), learning_rate: rate });
      }
      if (interrupt.requested) {
        bar.stop();
        run.saveLast({ params, position: { epoch: epoch - 1, step, sums, history }, tensors: state.arrays() });
        events.close();
        const again = args.fresh || startsFrom !== undefined ? '--restore_file last' : 'the same command';
        log.warn(`Interrupted in epoch ${epoch} after step ${step}; ${again} goes on from there`);
        process.exitCode = interrupt.exitCode;
        return;
      }
    }
    bar.stop();

    const evaluator = await Evaluator.create(model, weightsOf(state), threads);
    const val = await evaluator.evaluate(validation.split, validation.indices);
    await evaluator.release();
    const record: EpochRecord = { epoch, learning_rate: rate, train: trainMetrics(sums), val };
    history.push(record);
    log.info(`- Train metrics: ${formatMetrics(record.train)}`);
    log.info(`- Eval metrics : ${formatMetrics({ ...val })}`);
    if (bestRecord(history) === record) {
      log.info('- Found new best accuracy');
      run.saveBest(weightsOf(state), record);
    }
    run.writeMetrics(history, selectedOn(params));
    // Last of all: a run that is killed before this line does the epoch once more, and writes the same again.
    run.saveLast({ params, position: { epoch, step: 0, sums: {}, history }, tensors: state.arrays() });
    seconds.push((performance.now() - epochBegan) / 1000);
    events.scalars(epoch * stepsPerEpoch, { ...prefixed('val', { ...val }), 'time/epoch_seconds': seconds.at(-1)! });
  }

  // The test set is touched once, with the weights of the best epoch.
  const { tensors: bestWeights } = readSafetensors(run.file('best.safetensors'));
  const evaluator = await Evaluator.create(model, bestWeights, threads);
  const test = await evaluator.evaluate(dataset.test, allOf(dataset.test));
  const best = bestRecord(history)!;
  writeJson(run.file('metrics_test_best_weights.json'), {
    ...test,
    epoch: best.epoch,
    selected_on: selectedOn(params),
  });
  log.info(`- Test metrics of epoch ${best.epoch}: ${formatMetrics({ ...test })}`);
  writeJson(run.file('run.json'), {
    ...description,
    seconds: (performance.now() - began) / 1000,
    epoch_seconds: seconds,
  });
  events.finished(params.num_epochs * stepsPerEpoch);
  events.close();
}

/** Refuses to go on with other parameters than those of the checkpoint; only `num_epochs` may grow. */
function refuseChanges(run: RunDirectory, last: Checkpoint, params: Params): void {
  const changed = changedKeys(last.params, params).filter((key) => key !== 'num_epochs');
  if (changed.length > 0) {
    const values = changed.map((key) => `"${key}" (was ${show(last.params, key)}, is ${show(params, key)})`);
    throw new UserError(
      `${run.file('params.json')}: ${values.join(', ')} changed since the run began; ` +
        'set the old value to go on, or start over with --fresh, which keeps the old results aside',
    );
  }
}

function show(params: Params, path: string): string {
  const value = path.split('.').reduce<unknown>((object, key) => (object as Record<string, unknown>)?.[key], params);
  return JSON.stringify(value) ?? 'absent';
}

/** Parameters and buffers, without the optimizer's own state. */
function weightsOf(state: State): NamedArrays {
  return new Map([...state.arrays()].filter(([name]) => !name.startsWith(OPTIMIZER_PREFIX)));
}

/** Adds a step's results to the sums of its epoch, each mean by the number of its examples. */
function accumulate(sums: Record<string, number>, results: Results, examples: number): void {
  sums.examples = (sums.examples ?? 0) + examples;
  for (const [name, { data }] of Object.entries(results)) {
    sums[name] = (sums[name] ?? 0) + Number(data[0]) * (name === 'correct' ? 1 : examples);
  }
}

/** Accuracy, loss, and the parts of the loss where it has several. */
function trainMetrics({ examples = 1, correct = 0, ...losses }: Record<string, number>): Record<string, number> {
  const { loss, ...parts } = Object.fromEntries(Object.entries(losses).map(([name, sum]) => [name, sum / examples]));
  return { accuracy: correct / examples, loss: loss!, ...(Object.keys(parts).length > 1 && parts) };
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]));
}

function selectedOn(params: Params): string {
  return params.validation === 'test' ? 'test' : 'validation';
}

/** A bar for the download of a data set, drawn once the first bytes are there. */
function downloadBar(): (received: number, total?: number) => void {
  let bar: ProgressBar | undefined;
  return (received, total = 0) => {
    bar ??= progressBar(total, 'bytes');
    bar.update(received);
    if (received >= total) bar.stop();
  };
}

void runMain(main);
