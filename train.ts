/**
 * Trains the experiment of a directory, alone or from a teacher, and goes on where it stopped:
 *
 *   npx ts-node train.ts --model_dir experiments/cnn_distill
 *   npx ts-node train.ts --model_dir experiments/cnn_distill --restore_file last
 */
import { join } from 'node:path';
import { openDevice } from './engine/backends';
import { flops } from './engine/analysis/flops';
import { loadDataset, type LoadProgress } from './model/data';
import type { Dataset, Split } from './model/data/dataset';
import { loadBatches, lookingAhead } from './model/data/loader';
import { isStopped } from './model/training/early_stopping';
import { updateMeters, epochMetrics } from './model/training/meters';
import { allOf, Evaluator } from './model/evaluation/evaluator';
import {
  checkpointPath,
  initialFile,
  initialWeights,
  needsTeacher,
  normalizationNotice,
  loadWeights,
  studentOf,
} from './model/experiment/experiment';
import { NanGuard, statesIn } from './model/training/nan_guard';
import { microBatch } from './model/training/gradient_accumulation';
import { partitionOf, predictLogits, validationImages } from './model/evaluation/predict';
import { evaluationGraph, parameterCount } from './model/nets/model';
import { ofFile, trainingConfig } from './model/experiment/training_config';
import { resolvedParams, withImplied } from './model/experiment/resolved';
import { learningRate } from './model/training/schedules';
import { inputsOf, isPathKey, kept, changedInputs } from './model/experiment/inputs';
import { changesOfPlan, plannedEpochs, plansIn, withPlan, type Plan } from './model/experiment/plans';
import { planRepetition } from './model/experiment/reproduce';
import { compareRuns, comparisonInWords } from './model/experiment/compare';
import { memoryAdvice } from './model/training/memory_advice';
import { inWords } from './model/experiment/describe';
import { located } from './model/experiment/own_paths';
import { plannedRuns } from './model/experiment/stages';
import { loadTeacher, type Teacher } from './model/teachers';
import { reportAgreement } from './model/teachers/agreement';
import { teacherCacheOf } from './model/teachers/teacher_cache';
import { Trainer } from './model/training/trainer';
import { unusedInWords, unusedKeys } from './model/experiment/unused_keys';
import { matchStateDict } from './formats/checkpoints';
import { parseArguments, runMain } from './utils/cli';
import { secondsOf } from './utils/duration';
import { deviceFlag, flaggedDevice, type Device } from './utils/devices';
import { UserError } from './utils/errors';
import { makeDirectory, writeJson } from './utils/files';
import { flatten } from './utils/flatten';
import { onInterrupt } from './utils/interrupt';
import { acquireLock, type Lock } from './runs/lock';
import { formatMetrics, openLog, type Log } from './utils/logger';
import { median } from './utils/median';
import { availableBytes } from './utils/memory';
import type { NamedArrays } from './formats/ndarray';
import { changedKeys, type Params } from './model/experiment/params';
import { progressBar, type ProgressBar } from './utils/progress';
import { describeRun } from './runs/provenance';
import {
  bestRecord,
  RunDirectory,
  START,
  type EpochRecord,
  type FoundCheckpoint,
  type Position,
} from './runs/run_directory';
import { EventWriter } from './formats/tensorboard';
import { threadsWarning } from './utils/threads';
import { counted } from './utils/words';

const command = {
  name: 'train.ts',
  summary: 'Trains the experiment of a directory. An interrupted run goes on where it stopped.',
  flags: {
    model_dir: { type: 'string', help: 'directory with params.json; all results go there' },
    restore_file: { type: 'string', help: '"last" goes on; "best" or a file starts a new run from those weights' },
    device: deviceFlag,
    fresh: { type: 'boolean', default: false, help: 'start over; what is there is kept in a folder before_<n>' },
    teacher_cache: { type: 'string', help: 'directory of teacher outputs that several runs share' },
    repeat: { type: 'string', help: 'train the run in this directory once more, in another one, and compare' },
    debug_nan: {
      type: 'boolean',
      default: false,
      help: 'end at a step that is not finite, and name its first operator',
    },
    describe: { type: 'string', help: 'print what a method does and its options, or with "all" a line for each' },
  },
} as const;

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  if (args.describe !== undefined) {
    process.stdout.write(`${inWords(args.describe)}\n`);
    return;
  }
  if (args.repeat !== undefined) {
    await repeat(args.repeat, args);
    return;
  }
  if (args.model_dir === undefined)
    throw new UserError('--model_dir is missing: name the directory of an experiment', 2);
  if (args.fresh && args.restore_file === 'last')
    throw new UserError('--fresh starts over and --restore_file last goes on: give one of them', 2);
  await trainAll(args.model_dir, args);
}

type Arguments = Omit<ReturnType<typeof parseArguments<typeof command>>, 'model_dir' | 'repeat' | 'describe'>;

/** Trains the experiment of a directory once more, and tells what came of it beside what is there. */
async function repeat(path: string, { model_dir: target, ...args }: Arguments & { model_dir?: string }): Promise<void> {
  if (args.fresh || args.restore_file !== undefined)
    throw new UserError('--repeat begins as the run did: give neither --fresh nor --restore_file', 2);
  const { original, directory, cwd, startsFrom, plans } = planRepetition(path, target);
  process.chdir(cwd);
  if (!(await trainAll(directory, { ...args, restore_file: startsFrom }, plans))) return;
  const comparison = compareRuns(new RunDirectory(original), new RunDirectory(directory));
  process.stdout.write(`${directory} beside ${original}:\n${comparisonInWords(comparison).join('\n')}\n`);
  const { isSame, isNear, surroundings } = comparison;
  if (isSame || (isNear && surroundings.length > 0)) return;
  throw new UserError(`${directory}: came out otherwise than ${original}`);
}

/** Trains the stages of an experiment to their end and returns true, or returns false where it was interrupted. */
async function trainAll(directory: string, args: Arguments, plans?: readonly Plan[]): Promise<boolean> {
  const { restore_file, fresh } = args;
  const device = flaggedDevice(args.device);
  const runs = plannedRuns(directory);
  const lock = acquireLock(directory, 'params.json');
  try {
    for (const { directory: stage, params, given, isStage } of runs) {
      if (isStage) {
        lock.assertHeld();
        makeDirectory(stage);
        writeJson(join(stage, 'params.json'), given);
      }
      const isFinished = await train(new RunDirectory(stage), params, {
        given,
        plans: isStage ? undefined : plans,
        restore_file: isStage ? undefined : restore_file,
        fresh,
        debug_nan: args.debug_nan,
        teacher_cache: args.teacher_cache,
        device,
        lock,
      });
      if (!isFinished) return false;
    }
    return true;
  } finally {
    lock.release();
  }
}

/** A checkpoint and the params that its run was trained with. */
type Found = FoundCheckpoint & { readonly params: Params };

/** Trains a run to its end and returns true, or returns false where it was interrupted. */
async function train(
  run: RunDirectory,
  params: Params,
  args: {
    /** What params.json says. */
    given: Readonly<Record<string, unknown>>;
    /** Of the run that is trained once more. */
    plans: readonly Plan[] | undefined;
    restore_file: string | undefined;
    fresh: boolean;
    debug_nan: boolean;
    teacher_cache: string | undefined;
    device: Device | undefined;
    lock: Lock;
  },
): Promise<boolean> {
  const began = performance.now();

  // Where do we stand? A run goes on from its last checkpoint unless it is told to start over.
  const startsFrom = args.restore_file === undefined || args.restore_file === 'last' ? undefined : args.restore_file;
  const last = args.fresh || startsFrom !== undefined ? undefined : (run.readLast() as Found | undefined);
  if (args.restore_file === 'last' && !last) throw new UserError(`${run.file('last.safetensors')}: no such file`);
  const moved = last ? refuseChanges(run, last, params) : [];
  if (last?.warning !== undefined) process.stderr.write(`warning: ${last.warning}\n`);
  const position = last?.position ?? START;
  const { accumulate = 1, early_stopping: stopping } = params;
  const isOver = (epochs: readonly EpochRecord[]) =>
    epochs.length >= params.num_epochs || (stopping !== undefined && isStopped(epochs, stopping));
  if (isOver(position.history) && run.hasTestScore(position.history)) {
    const advice = position.epoch < params.num_epochs ? 'by "early_stopping"' : 'raise "num_epochs" to go on';
    process.stdout.write(`${run.path}: finished after ${counted(position.epoch, 'epoch')}; ${advice}\n`);
    return true;
  }

  // What it runs on, the images, and the student on them.
  const device = await openDevice(args.device ?? params.device ?? 'auto', params.precision);
  const { backend, precision } = device;
  const { threads } = params;
  const crowded = threadsWarning(`${run.file('params.json')}: "threads"`, threads);
  const here = located(params, run.path);
  const dataset = await loadDataset({ dir: here.data_dir, ...here.dataset }, loadingBar());
  const model = studentOf(params, dataset);
  const parts = partitionOf(params, dataset);
  const validation = validationImages(params, dataset, parts);

  // The teacher, and the training step: for full batches, and for a smaller last batch.
  const remarks: [level: keyof Log, line: string][] = [];
  let tell = (...remark: [keyof Log, string]): void => void remarks.push(remark);
  const say: typeof tell = (...remark) => tell(...remark);
  const sayInfo = (line: string) => say('info', line);
  if (crowded !== undefined) say('warn', crowded);
  if (params.batch_size > parts.train.length) {
    say(
      'warn',
      `"batch_size" is ${params.batch_size}: a step takes all of the ${counted(parts.train.length, 'image')}`,
    );
  }
  const cache = teacherCacheOf(params, {
    shared: args.teacher_cache,
    own: run.file('.teacher_cache'),
    device: backend.name,
    log: say,
  });
  const context = { threads, backend, cache, log: say };
  const teacher =
    needsTeacher(params) && here.teacher !== 'none'
      ? await loadTeacher(here.teacher, model, dataset, context)
      : undefined;
  const ingredients = inputsOf(here, dataset, run.path, last && run.facts());
  if (last) refuseOthers(run, changedInputs(run.facts(), ingredients, moved));
  const fullBatch = Math.min(params.batch_size, parts.train.length);
  const remainder = parts.train.length % fullBatch;
  const recipe = trainingConfig(params, model, dataset, parts.train, run.file('params.json'));
  const batchSizes = [fullBatch, ...(remainder > 0 ? [remainder] : [])];
  const trainer = ofFile(run.file('params.json'), () =>
    Trainer.create(model, batchSizes, { ...recipe.step, teacher, backend, precision }),
  );
  const { state } = trainer;
  const weights = startsFrom === undefined ? undefined : checkpointPath(run, startsFrom);
  let restored: NamedArrays | undefined;
  const found = last && statesIn(last.tensors);
  if (last) restored = matchStateDict(last.path, found!.state, state.specs);
  else if (weights !== undefined) restored = await loadWeights(weights, model, sayInfo);
  else if (here.init) restored = await initialWeights(here.init, model, state.specs, sayInfo);
  // A stage before it was fed the same images.
  const foreign = here.init?.checkpoint === params.init?.checkpoint ? here.init : undefined;
  const taken = last ? undefined : (weights ?? (foreign && initialFile(foreign.checkpoint)));
  const notice = taken === undefined ? undefined : normalizationNotice(taken, run, params, dataset);
  if (notice !== undefined) sayInfo(notice);
  if (restored) trainer.loadState(restored);
  const epochStart = last && found?.start && matchStateDict(last.path, found.start, state.specs);

  // From here on the directory is written.
  args.lock.assertHeld();
  if (last?.warning !== undefined) run.putDamagedAside();
  const aside = last ? undefined : run.putAside();
  const log = openLog(run.file('train.log'));
  if (aside !== undefined) log.info(`Earlier results are kept in ${aside}`);
  log.info(`Loading the datasets: ${dataset.name}, ${counted(parts.train.length, 'image')} to train on`);
  log.info('- done.');
  if (teacher) log.info(`Experiment - model version: ${params.model_version}`);
  const unused = unusedInWords(unusedKeys(args.given, params, model), params);
  if (unused !== undefined) log.warn(unused);
  for (const line of dataset.remarks ?? []) log.warn(line);
  if (last?.warning !== undefined) log.warn(last.warning);
  for (const [level, line] of remarks) log[level](line);
  tell = (level, line) => log[level](line);
  log.info(`Device: ${device.description}`);
  if (device.warning !== undefined) log.warn(device.warning);
  const deviceBefore = last && run.device();
  if (deviceBefore !== undefined && deviceBefore !== backend.name) {
    log.warn(`The run began on ${deviceBefore}: its bits will be others than if it had stayed there`);
  }
  const needed = backend.name === 'cpu' ? trainer.neededBytes : 0;
  if (needed > availableBytes()) log.warn(memoryAdvice(fullBatch, needed, availableBytes()));
  log.info(`Starting training for ${counted(params.num_epochs, 'epoch')}`);
  if (startsFrom !== undefined) log.info(`Restoring parameters from ${startsFrom}`);
  if (last) log.info(`Going on after epoch ${position.epoch}, step ${position.step}`);

  const stepsPerEpoch = Math.ceil(parts.train.length / fullBatch);
  const startStep = position.epoch * stepsPerEpoch + position.step;
  const before =
    args.plans ?? plansIn(last ? run.facts() : {}) ?? (last ? withPlan([], 0, last.params.num_epochs) : []);
  const plans = withPlan(before, startStep, params.num_epochs);
  if (last && !args.plans) {
    const lastRate = position.history.at(-1)?.learning_rate;
    const { num_epochs: planned } = before.at(-1)!;
    for (const line of changesOfPlan(params, planned, position.epoch + 1, lastRate)) log.warn(line);
  }

  const description = {
    ...describeRun([command.name, ...process.argv.slice(2)]),
    cwd: process.cwd(),
    params: args.given,
    resolved: resolvedParams(params),
    plans,
    ...ingredients,
    started_from: last ? run.facts().started_from : weights && kept(weights, run.path, aside),
    seed: params.seed,
    device: backend.name,
    device_description: device.description,
    precision,
    threads,
    parameters: parameterCount(evaluationGraph(model)),
    flops_per_image: flops(evaluationGraph(model)),
  };
  const spentBefore = last ? run.secondsSpent() : 0;
  writeJson(run.file('run.json'), { ...description, seconds: spentBefore });

  const events = new EventWriter(run.file('events'), startStep + 1);
  events.hparams(startStep, flatten(params));
  const interrupt = onInterrupt();
  const longest = 1000 * secondsOf(params.checkpoint_every);
  let saved = performance.now();
  const policy = params.on_nan ?? 'stop';
  const guarding = { policy, debug: args.debug_nan, batches: stepsPerEpoch, accumulate, log };
  const guard = new NanGuard(trainer, guarding, position.trouble, epochStart);
  const history = [...position.history];
  const seconds: number[] = [];
  const spent = () => ({
    seconds: spentBefore + (performance.now() - began) / 1000,
    epoch_seconds: seconds,
    step_ms: median(trainer.times.step),
    ...(teacher && { teacher_ms: median(trainer.times.teacher) }),
    ...(teacher && cache && { teacher_outputs: cache.counts }),
    ...(isOver(history) && history.length < params.num_epochs && { stopped_after: history.length }),
    ...guard.facts,
  });
  const teacherLogits = teacher && (await validationLogits(params, teacher, validation, dataset));
  if (teacher) {
    const train = { split: dataset.train, indices: parts.train };
    await reportAgreement(params, teacher, dataset, { validation, train, logits: teacherLogits }, say);
  }
  run.writeMetrics(history, selectedOn(params));

  const settle = () =>
    guard.recover(run.path, (diverged) => writeJson(run.file('run.json'), { ...description, ...spent(), diverged }));
  let from: Pick<Position, 'step' | 'sums'> = position;
  for (let epoch = position.epoch + 1; !isOver(history); epoch = history.length + 1) {
    const epochBegan = performance.now();
    let { step, sums } = from;
    from = START;
    await guard.onEpochStart(step, history);
    const rateAt = (epochs: number) =>
      guard.rate * learningRate(params.schedule, params.learning_rate, { epoch, epochs, history });
    let rate = rateAt(params.num_epochs);
    log.info(`Epoch ${epoch}/${params.num_epochs}`);
    const bar = progressBar(parts.train.length, 'images');

    const pass = loadBatches(recipe.split, recipe.examples(epoch), {
      shape: dataset.shape,
      batchSize: fullBatch,
      seed: params.seed,
      epoch,
      looksOf: params.teacher_views === undefined ? epoch : ((epoch - 1) % params.teacher_views) + 1,
      shuffle: true,
      augment: recipe.augment,
      views: trainer.views,
      start: step,
      ahead: params.num_workers,
    });
    for await (const batch of lookingAhead(pass)) {
      const globalStep = (epoch - 1) * stepsPerEpoch + step + 1;
      const micro = microBatch(epoch, step, { examples: parts.train.length, batchSize: fullBatch, accumulate });
      const epochs = plannedEpochs(plans, globalStep);
      rate = rateAt(epochs);
      const moment = { step: globalStep, epoch, epochs, learningRate: rate, micro };
      const results = await guard.step(batch, moment);
      if (guard.isHalted) break;
      step++;

      // Means over examples: every batch counts by its size.
      if (results) sums = updateMeters(sums, results, batch.size);
      const running = epochMetrics(sums);
      bar.update(Math.min(step * fullBatch, parts.train.length), running);
      if (globalStep % params.save_summary_steps === 0) {
        events.scalars(globalStep, { ...prefixed('train', running), learning_rate: rate });
      }
      if (interrupt.requested || performance.now() - saved >= longest) {
        args.lock.assertHeld();
        await state.toHost();
        const tensors = new Map([...state.arrays(), ...guard.tensors]);
        run.saveLast({ params, position: { epoch: epoch - 1, step, sums, history, ...guard.position }, tensors });
        saved = performance.now();
      }
      if (interrupt.requested) {
        bar.stop();
        writeJson(run.file('run.json'), { ...description, ...spent() });
        events.close();
        const again = args.fresh || startsFrom !== undefined ? '--restore_file last' : 'the same command';
        log.warn(`Interrupted in epoch ${epoch} after step ${step}; ${again} goes on from there`);
        process.exitCode = interrupt.exitCode;
        return false;
      }
    }
    bar.stop();
    if (guard.isHalted) {
      await settle();
      continue;
    }

    await state.toHost();
    const evaluator = await Evaluator.create(model, trainer.weights(), threads, backend);
    const { metrics: val, predictions } = await evaluator.assess(validation.split, validation.indices, teacherLogits);
    await evaluator.release();
    guard.onValidation(epoch, val);
    if (guard.isHalted) {
      await settle();
      continue;
    }
    const train = epochMetrics(sums);
    const record: EpochRecord = { epoch, learning_rate: rate, train, val, ...guard.record(history) };
    history.push(record);
    args.lock.assertHeld();
    log.info(`- Train metrics: ${formatMetrics(record.train)}`);
    log.info(`- Eval metrics : ${formatMetrics({ ...val })}`);
    if (bestRecord(history) === record) {
      log.info('- Found new best accuracy');
      run.saveBest(trainer.weights(), record);
      run.savePredictions('val', predictions, epoch, dataset.classes);
    }
    run.writeMetrics(history, selectedOn(params));
    // Last of all: a run that is killed before this line does the epoch once more, and writes the same again.
    const done = { epoch, step: 0, sums: {}, history, ...guard.position };
    run.saveLast({ params, position: done, tensors: state.arrays() });
    saved = performance.now();
    seconds.push((performance.now() - epochBegan) / 1000);
    events.scalars(epoch * stepsPerEpoch, { ...prefixed('val', { ...val }), 'time/epoch_seconds': seconds.at(-1)! });
  }

  if (history.length < params.num_epochs) {
    log.info(`Stopped after epoch ${history.length}: no better accuracy for ${counted(stopping!.patience, 'epoch')}`);
    writeJson(run.file('run.json'), { ...description, ...spent() });
  }

  // The test set is touched once, with the weights of the best epoch.
  const best = bestRecord(history)!;
  const evaluator = await Evaluator.create(model, run.readBest(best), threads, backend);
  const { metrics: test, predictions } = await evaluator.assess(dataset.test, allOf(dataset.test));
  args.lock.assertHeld();
  run.savePredictions('test', predictions, best.epoch, dataset.classes);
  writeJson(run.file('run.json'), { ...description, ...spent() });
  if (args.teacher_cache === undefined) cache?.remove();
  // The very last: it tells that the run has ended.
  writeJson(run.file('metrics_test_best_weights.json'), {
    ...test,
    epoch: best.epoch,
    selected_on: selectedOn(params),
  });
  log.info(`- Test metrics of epoch ${best.epoch}: ${formatMetrics({ ...test })}`);
  events.finished(history.length * stepsPerEpoch);
  events.close();
  await Promise.all([trainer.release(), evaluator.release(), teacher?.release()]);
  return true;
}

/** The teacher's logits on the validation images; cached ones are known for training images only. */
async function validationLogits(
  params: Params,
  teacher: Teacher,
  { split, indices }: { split: Split; indices: Uint32Array },
  dataset: Dataset,
): Promise<Float32Array | undefined> {
  const isCached = [params.teacher].flat().some((one) => typeof one === 'object' && 'logits' in one);
  if (isCached && split === dataset.test) return undefined;
  return predictLogits(teacher, split, indices, dataset);
}

/** What may be another value when a run goes on: it changes nothing of what was done. */
const mayChange = [
  'num_epochs',
  'device',
  'on_nan',
  'checkpoint_every',
  'teacher_cache_gigabytes',
  'dataset.cache',
  'dataset.cache_gigabytes',
];

/** Refuses to go on with other parameters than those of the checkpoint; returns the keys whose paths have changed. */
function refuseChanges(run: RunDirectory, last: Found, params: Params): string[] {
  const different = changedKeys(withImplied(last.params), withImplied(params));
  const changed = different.filter((key) => !mayChange.includes(key) && !isPathKey(key));
  if (changed.length > 0) {
    const values = changed.map((key) => `"${key}" (was ${show(last.params, key)}, is ${show(params, key)})`);
    throw new UserError(
      `${run.file('params.json')}: ${values.join(', ')} changed since the run began; ` +
        `set the old value to go on, ${OR_FRESH}`,
    );
  }
  return different.filter(isPathKey);
}

const OR_FRESH = 'or start over with --fresh, which keeps the old results aside';

/** Refuses to go on with other images or another teacher. */
function refuseOthers(run: RunDirectory, lines: readonly string[]): void {
  if (lines.length === 0) return;
  throw new UserError(`${run.path}: ${lines.join('; ')}; bring back what was there to go on, ${OR_FRESH}`);
}

function show(params: Params, path: string): string {
  const value = path.split('.').reduce<unknown>((object, key) => (object as Record<string, unknown>)?.[key], params);
  return JSON.stringify(value) ?? 'absent';
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]));
}

function selectedOn(params: Params): string {
  return params.validation === 'test' ? 'test' : 'validation';
}

/** A bar for what a data set needs at its first use, drawn once some of it is there. */
function loadingBar(): LoadProgress {
  let bar: ProgressBar | undefined;
  return (done, total = 0, unit) => {
    bar ??= progressBar(total, unit);
    bar.update(done);
    if (done >= total) bar.stop();
  };
}

void runMain(main);
