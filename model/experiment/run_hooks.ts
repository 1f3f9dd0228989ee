/** The outputs of a run during training: log, progress bar, trackers, metrics and checkpoints. */
import type { Lock } from '../../runs/lock';
import { meritOf } from '../../runs/metrics';
import type { Position } from '../../runs/position';
import type { RunDirectory } from '../../runs/run_directory';
import { secondsOf } from '../../utils/duration';
import type { Interrupt } from '../../utils/interrupt';
import { formatMetrics, type Log } from '../../utils/logger';
import { progressBar, type ProgressBar } from '../../utils/progress';
import type { FitHooks } from '../training/loop';
import type { NanGuard } from '../training/nan_guard';
import { trainsVectors } from './experiment';
import type { Params } from './params';
import type { RunRecord } from './run_record';
import type { Setup } from './setup';
import type { Tracker } from './trackers/tracker';

export interface RunHooksOptions {
  readonly run: RunDirectory;
  readonly params: Params;
  readonly setup: Setup;
  readonly guard: NanGuard;
  readonly record: RunRecord;
  readonly log: Log;
  readonly tracker: Tracker;
  readonly interrupt: Interrupt;
  readonly lock: Lock;
}

export function runHooks(options: RunHooksOptions): FitHooks {
  const { run, params, setup, guard, record, log, tracker, interrupt, lock } = options;
  const { trainer, dataset, train, batchSize, stepsPerEpoch } = setup;
  const longest = 1000 * secondsOf(params.checkpoint_every);
  let saved = performance.now();
  let began = saved;
  let bar: ProgressBar | undefined;

  async function saveAmidEpoch(position: Position): Promise<void> {
    lock.assertHeld();
    await trainer.state.toHost();
    run.saveLast({ params, position, tensors: new Map([...trainer.state.arrays(), ...guard.tensors]) });
    saved = performance.now();
  }

  return {
    onEpochStart(epoch) {
      began = performance.now();
      log.info(`Epoch ${epoch}/${params.num_epochs}`);
      bar = progressBar(train.length, 'images');
    },

    async onStep({ step, globalStep, learningRate, metrics, position }) {
      bar?.update(Math.min(step * batchSize, train.length), metrics);
      if (globalStep % params.save_summary_steps === 0) {
        tracker.onStep(globalStep, metrics, learningRate);
      }
      if (interrupt.requested || performance.now() - saved >= longest) await saveAmidEpoch(position);
      return interrupt.requested ? 'stop' : undefined;
    },

    onStepsEnd() {
      bar?.stop();
    },

    onEpochEnd({ record: epoch, isBest, predictions, position }) {
      const { train, val } = epoch;
      lock.assertHeld();
      log.info(`- Train metrics: ${formatMetrics(train)}`);
      log.info(`- Eval metrics : ${formatMetrics({ ...val })}`);
      if (isBest) {
        const isTie = position.history.some((one) => one !== epoch && meritOf(one.val) === meritOf(val));
        const metric = val.accuracy === undefined ? 'loss' : 'accuracy';
        log.info(isTie ? `- As good as the best ${metric}: the later epoch counts` : `- Found new best ${metric}`);
        run.saveBest(trainer.weights(), epoch, trainsVectors(params) ? trainer.heads() : undefined);
        if (predictions) run.saveValPredictions(predictions, epoch.epoch, dataset.classes);
      }
      run.writeMetrics(position.history, selectedOn(params));
      // Last of all: a run that is killed before this line does the epoch once more, and writes the same again.
      run.saveLast({ params, position, tensors: trainer.state.arrays() });
      saved = performance.now();
      const seconds = (saved - began) / 1000;
      record.epochSeconds.push(seconds);
      tracker.onEpoch(epoch.epoch * stepsPerEpoch, position.history, seconds);
    },
  };
}

/** The images on which the best epoch is chosen, by their name in the metrics files. */
export function selectedOn({ validation }: Params): string {
  return validation === 'test' ? 'test' : 'validation';
}
