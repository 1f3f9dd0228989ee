/**
 * Trains the experiment in a directory, with or without a teacher, and resumes it where it stopped:
 *
 *   npx ts-node train.ts --model_dir experiments/cnn_distill
 *   npx ts-node train.ts --model_dir experiments/cnn_distill --restore_file last
 */
import { trainCommand, type TrainOptions } from './commands/train';
import { allOf } from './model/evaluation/evaluator';
import { announce, learningCurve } from './model/experiment/announce';
import type { Experiment } from './model/experiment/experiment';
import { inputsOf } from './model/experiment/inputs';
import { plannedEpochs } from './model/experiment/plans';
import { resolvedParams } from './model/experiment/resolved';
import { loadStart, refuseOtherInputs, startOf } from './model/experiment/resume';
import { runHooks, selectedOn } from './model/experiment/run_hooks';
import { RunRecord } from './model/experiment/run_record';
import { askTeacher, assess, setUp } from './model/experiment/setup';
import { testResults } from './model/experiment/test_results';
import { openTrackers } from './model/experiment/trackers';
import { isOver } from './model/training/early_stopping';
import { fit } from './model/training/loop';
import { NanGuard } from './model/training/nan_guard';
import { learningRate } from './model/training/schedules';
import { runFiles } from './runs/files';
import { bestRecord } from './runs/metrics';
import type { RunDirectory } from './runs/run_directory';
import { runMain } from './utils/cli';
import { onInterrupt } from './utils/interrupt';
import { deferredLog, formatMetrics, openLog } from './utils/logger';
import { lazyProgressBar } from './utils/progress';
import { counted } from './utils/words';

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
  const record = new RunRecord(run, setup, start, {
    argv: options.argv,
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

void runMain(() => trainCommand(train));
