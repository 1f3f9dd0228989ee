/** run.json: the provenance of a run, its params, and its duration so far. */
import { flops } from '../../engine/analysis/flops';
import { runFiles } from '../../runs/files';
import type { Lock } from '../../runs/lock';
import type { EpochRecord } from '../../runs/metrics';
import { describeRun } from '../../runs/provenance';
import type { RunDirectory } from '../../runs/run_directory';
import { writeJson } from '../../utils/files';
import type { Log } from '../../utils/logger';
import { median } from '../../utils/median';
import { evaluationGraph, parameterCount } from '../nets/model';
import { isOver } from '../training/early_stopping';
import type { NanGuard } from '../training/nan_guard';
import { kept, type Ingredients } from './inputs';
import type { Params } from './params';
import { changesOfPlan, plansIn, withPlan, type Plan } from './plans';
import { resolvedParams } from './resolved';
import type { Start } from './resume';
import type { Setup } from './setup';

export interface RecordOptions {
  /** The command line. */
  readonly argv: readonly string[];
  /** The content of params.json, and the same with defaults filled in. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly params: Params;
  readonly inputs: Ingredients;
  /** The plans of the original run, for a repetition. */
  readonly plans: readonly Plan[] | undefined;
  /** The folder of the earlier results. */
  readonly aside: string | undefined;
  /** `performance.now()` when this process started or resumed the run. */
  readonly began: number;
  readonly lock: Lock;
}

export class RunRecord {
  /** The planned epochs over the steps. */
  readonly plans: readonly Plan[];
  /** Seconds of each epoch of this process. */
  readonly epochSeconds: number[] = [];
  private readonly plansBefore: readonly Plan[];
  private readonly secondsBefore: number;
  private readonly description: Readonly<Record<string, unknown>>;

  constructor(
    private readonly run: RunDirectory,
    private readonly setup: Setup,
    private readonly start: Start,
    private readonly options: RecordOptions,
  ) {
    const { last, position, weights } = start;
    const { given, params, aside } = options;
    const { device, model, stepsPerEpoch } = setup;
    const graph = evaluationGraph(model);
    const facts = last ? run.facts() : {};
    const first = last ? withPlan([], 0, last.params.num_epochs) : [];
    this.plansBefore = options.plans ?? plansIn(facts) ?? first;
    this.plans = withPlan(this.plansBefore, position.epoch * stepsPerEpoch + position.step, params.num_epochs);
    this.secondsBefore = last ? run.secondsSpent() : 0;
    this.description = {
      ...describeRun(options.argv),
      cwd: process.cwd(),
      params: given,
      resolved: resolvedParams(params),
      plans: this.plans,
      ...options.inputs,
      started_from: last ? facts.started_from : weights && kept(weights, run.path, aside),
      seed: params.seed,
      device: device.backend.name,
      device_description: device.description,
      precision: device.precision,
      ...(setup.comparisons && { teacher_precision: setup.comparisons }),
      threads: params.threads,
      parameters: parameterCount(graph),
      flops_per_image: flops(graph),
    };
  }

  /** Warns about the effects of a new number of epochs on a resumed run. */
  warnOfNewPlan(log: Pick<Log, 'warn'>): void {
    const { last, position } = this.start;
    if (!last || this.options.plans) return;
    const rate = position.history.at(-1)?.learning_rate;
    const { num_epochs: before } = this.plansBefore.at(-1)!;
    for (const line of changesOfPlan(this.options.params, before, position.epoch + 1, rate)) log.warn(line);
  }

  /** Writes it before the first step. */
  begin(): void {
    this.save({ seconds: this.secondsBefore });
  }

  /** Writes it with the duration so far; `more` is the reason if the run failed. */
  write(history: readonly EpochRecord[], guard: NanGuard, more: Readonly<Record<string, unknown>> = {}): void {
    const { trainer, teacher, cache } = this.setup;
    const { params } = this.options;
    const isStopped = history.length < params.num_epochs && isOver(history, params);
    this.save({
      seconds: this.secondsBefore + (performance.now() - this.options.began) / 1000,
      epoch_seconds: this.epochSeconds,
      step_ms: median(trainer.times.step),
      ...(teacher && { teacher_ms: median(trainer.times.teacher) }),
      ...(teacher && cache && { teacher_outputs: cache.counts }),
      ...(isStopped && { stopped_after: history.length }),
      ...guard.facts,
      ...more,
    });
  }

  private save(spent: Readonly<Record<string, unknown>>): void {
    this.options.lock.assertHeld();
    writeJson(this.run.file(runFiles.record), { ...this.description, ...spent });
  }
}
