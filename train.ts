/**
 * Trains the experiment in a directory, with or without a teacher, and resumes it where it stopped:
 *
 *   npx ts-node train.ts --model_dir experiments/cnn_distill
 *   npx ts-node train.ts --model_dir experiments/cnn_distill --restore_file last
 */
import { join } from 'node:path';
import { allOf } from './model/evaluation/evaluator';
import { announce, learningCurve } from './model/experiment/announce';
import { inWords } from './model/experiment/describe';
import type { Experiment } from './model/experiment/experiment';
import { inputsOf } from './model/experiment/inputs';
import { plannedEpochs, type Plan } from './model/experiment/plans';
import { reproduceRun } from './model/experiment/reproduce';
import { resolvedParams } from './model/experiment/resolved';
import { loadStart, refuseOtherInputs, startOf } from './model/experiment/resume';
import { runHooks, selectedOn } from './model/experiment/run_hooks';
import { RunRecord } from './model/experiment/run_record';
import { askTeacher, assess, setUp } from './model/experiment/setup';
import { plannedRuns } from './model/experiment/stages';
import { testResults } from './model/experiment/test_results';
import { openTrackers } from './model/experiment/trackers';
import { isOver } from './model/training/early_stopping';
import { fit } from './model/training/loop';
import { NanGuard } from './model/training/nan_guard';
import { learningRate } from './model/training/schedules';
import { runFiles } from './runs/files';
import { acquireLock, type Lock } from './runs/lock';
import { bestRecord } from './runs/metrics';
import { RunDirectory } from './runs/run_directory';
import { parseArguments, runMain } from './utils/cli';
import { titleOf } from './utils/commands';
import { deviceFlag, flaggedDevice, type Device } from './utils/devices';
import { UserError } from './utils/errors';
import { makeDirectory, writeJson } from './utils/files';
import { onInterrupt } from './utils/interrupt';
import { deferredLog, formatMetrics, openLog } from './utils/logger';
import { lazyProgressBar } from './utils/progress';
import { counted } from './utils/words';

const command = {
  name: 'train.ts',
  summary: 'Trains the experiment in a directory. Run it again to resume a training that was interrupted.',
  flags: {
    model_dir: { type: 'string', help: 'directory with params.json; all results are written there' },
    restore_file: { type: 'string', help: '"last" resumes; "best" or a file starts a new run from those weights' },
    device: deviceFlag,
    fresh: { type: 'boolean', default: false, help: 'start over; earlier results move to a folder before_<n>' },
    teacher_cache: { type: 'string', help: 'directory where several runs share teacher outputs' },
    reproduce: {
      type: 'string',
      formerly: 'repeat',
      help: 'train the finished run in this directory again, in --model_dir or its folder again_<n>, and compare results',
    },
    debug_nan: { type: 'boolean', default: false, help: 'stop at the first NaN or infinity and name its operator' },
    describe: {
      type: 'string',
      help: 'print what a method or a network by path does and its options; "all" lists every method',
    },
  },
} as const;

type Arguments = Omit<ReturnType<typeof parseArguments<typeof command>>, 'reproduce' | 'describe'>;

async function main(): Promise<void> {
  const { describe, reproduce, ...args } = parseArguments(process.argv.slice(2), command);
  if (describe !== undefined) {
    process.stdout.write(`${inWords(describe)}\n`);
  } else if (reproduce !== undefined) {
    await reproduceRun(reproduce, args, (directory, plans, weights) =>
      trainAll(directory, { ...args, restore_file: weights }, plans),
    );
  } else {
    const { model_dir: directory, fresh, restore_file: file } = args;
    if (directory === undefined) throw new UserError('--model_dir is missing: name the directory of an experiment', 2);
    if (fresh && file === 'last')
      throw new UserError('--fresh starts over and --restore_file last resumes: give one of them', 2);
    await trainAll(directory, args);
  }
}

/** Trains all stages of an experiment; returns false if interrupted. */
async function trainAll(directory: string, args: Arguments, plans?: readonly Plan[]): Promise<boolean> {
  const device = flaggedDevice(args.device);
  const runs = plannedRuns(directory);
  const lock = acquireLock(directory, runFiles.params);
  try {
    for (const { directory: path, params, given, isStage } of runs) {
      if (isStage) {
        lock.assertHeld();
        makeDirectory(path);
        writeJson(join(path, runFiles.params), given);
      }
      const own = isStage ? { restore_file: undefined } : { plans };
      if (!(await train(new RunDirectory(path), { given, params }, { ...args, ...own, device, lock }))) return false;
    }
    return true;
  } finally {
    lock.release();
  }
}

interface TrainOptions extends Omit<Arguments, 'device'> {
  readonly plans?: readonly Plan[] | undefined;
  readonly device: Device | undefined;
  readonly lock: Lock;
}

/** Trains a run to its end; returns false if interrupted. */
async function train(run: RunDirectory, { given, params }: Experiment, options: TrainOptions): Promise<boolean> {
  const began = performance.now();
  const { lock } = options;

  // Where do we stand? A run resumes from its last checkpoint unless it is told to start over.
  const start = startOf(run, params, options);
  const { last, position } = start;
  if (last?.warning !== undefined) process.stderr.write(`warning: ${last.warning}\n`);
  if (isOver(position.history, params) && run.hasTestScore(position.history)) {
    const advice = position.epoch < params.num_epochs ? 'by "early_stopping"' : 'raise "num_epochs" to train longer';
    process.stdout.write(`${run.path}: finished after ${counted(position.epoch, 'epoch')}; ${advice}\n`);
    return true;
  }

  // Device, images, student, teacher, and the training step as a graph.
  const { lines: remarks, say, open } = deferredLog();
  const setup = await setUp(params, {
    directory: run.path,
    device: options.device,
    cache: { shared: options.teacher_cache, own: run.file(runFiles.teacherCache) },
    onLoading: lazyProgressBar(),
    log: say,
  });
  const { trainer, teacher, dataset, validation } = setup;
  const inputs = inputsOf(setup.params, dataset, run.path, last && run.facts());
  refuseOtherInputs(run, start, inputs);
  const epochStart = await loadStart(run, start, setup, params, (line) => say('info', line));

  // From here on the directory is written.
  lock.assertHeld();
  if (last?.warning !== undefined) run.putDamagedAside();
  const aside = last ? undefined : run.putAside();
  const log = openLog(run.file(runFiles.log));
  announce(log, run, setup, { start, params, given, aside, remarks });
  open(log);
  const argv = [...titleOf(command.name).split(' '), ...process.argv.slice(2)];
  const record = new RunRecord(run, setup, start, {
    argv,
    given,
    params,
    inputs,
    aside,
    began,
    plans: options.plans,
    lock,
  });
  record.warnOfNewPlan(log);
  record.begin();
  const firstStep = position.epoch * setup.stepsPerEpoch + position.step;
  const tracker = openTrackers(
    {
      directory: run.path,
      params,
      resolved: resolvedParams(params),
      steps: firstStep,
      history: position.history,
      commit: run.facts().commit,
      log,
    },
    params.trackers,
  );

  const interrupt = onInterrupt();
  const teacherLogits = await askTeacher(setup, params, say);
  run.writeMetrics(position.history, selectedOn(params));

  // Epochs of steps; hooks log, save checkpoints and stop where the user asks for it.
  const { accumulate = 1, on_nan: policy = 'stop', num_epochs: epochs } = params;
  const onStop = (diverged: string): void => {
    record.write([], guard, { diverged });
    tracker.onEnd({ status: 'failed', steps: firstStep });
  };
  const checks = { policy, debug: options.debug_nan, batches: setup.stepsPerEpoch, accumulate, log, onStop };
  const guard = new NanGuard(trainer, { ...checks, source: run.path }, position.trouble, epochStart);
  const { position: end, isOver: isFinished } = await fit({
    trainer,
    guard,
    batches: setup.batches,
    examples: setup.train.length,
    batchSize: setup.batchSize,
    accumulate,
    epochs,
    plannedEpochs: (step) => plannedEpochs(record.plans, step),
    learningRate: (progress) => learningRate(params.schedule, params.learning_rate, progress),
    isOver: (epochsSoFar) => isOver(epochsSoFar, params),
    validate: () => assess(setup, new Map([...trainer.weights(), ...trainer.heads()]), validation, teacherLogits),
    position,
    hooks: runHooks({ run, params, setup, guard, record, log, tracker, interrupt, lock }),
  });
  const { history } = end;
  if (!isFinished) {
    record.write(history, guard);
    tracker.onEnd({ status: 'interrupted', steps: firstStep });
    const again = options.fresh || start.weights !== undefined ? 'with --restore_file last' : 'the same command';
    log.warn(`Interrupted in epoch ${end.epoch + 1} after step ${end.step}; run ${again} to resume`);
    process.exitCode = interrupt.exitCode;
    return false;
  }
  if (history.length < epochs) {
    const { patience } = params.early_stopping!;
    const metric = history[0]!.val.accuracy === undefined ? 'loss' : 'accuracy';
    log.info(`Stopped early after epoch ${history.length}: no better ${metric} for ${counted(patience, 'epoch')}`);
    record.write(history, guard);
  }

  // The test set is touched once, with the weights of the best epoch.
  const best = bestRecord(history)!;
  const test = await assess(setup, run.readBest(best), { split: dataset.test, indices: allOf(dataset.test) });
  const results = test.predictions && (await testResults(setup, test.predictions));
  lock.assertHeld();
  if (results) run.saveTestResults(results, best.epoch, dataset.classes);
  record.write(history, guard);
  if (options.teacher_cache === undefined) setup.cache?.remove();
  // The very last: it tells that the run has ended.
  run.saveTestScore(test.metrics, best, selectedOn(params));
  log.info(`- Test metrics of epoch ${best.epoch}: ${formatMetrics({ ...test.metrics })}`);
  const steps = history.length * setup.stepsPerEpoch;
  tracker.onEnd({ status: 'finished', steps, test: { metrics: test.metrics, epoch: best.epoch } });
  if (process.stdout.isTTY) process.stdout.write(learningCurve(run.path, history));
  await Promise.all([trainer.release(), teacher?.release()]);
  return true;
}

void runMain(main);
