/** Distillation from code: the API for programs that do what train.ts does. */
import { openDevice, type Backend, type Device } from '../../engine/backends/index';
import { adam, type Optimizer } from '../../engine/optimizers/index';
import { matchStateDict } from '../../formats/checkpoints';
import type { NamedArrays } from '../../formats/ndarray';
import { readSafetensors } from '../../formats/safetensors';
import type { EpochRecord } from '../../runs/metrics';
import { START, type Position } from '../../runs/position';
import { readCheckpoint, writeCheckpoint } from '../../runs/run_directory';
import { currentName, type Aliases } from '../../utils/aliases';
import { DEVICES } from '../../utils/devices';
import { UserError } from '../../utils/errors';
import { mistakes } from '../../utils/schema';
import { threadsWarning } from '../../utils/threads';
import { augmentationSteps } from '../data/augmentation/index';
import type { Dataset, Split } from '../data/dataset';
import { batchSizesOf, loadBatches, partition, type Partition } from '../data/loader';
import { distillers, methodAliases, type Distiller } from '../distillers/index';
import { allOf, Evaluator, type Metrics } from '../evaluation/evaluator';
import { netAliases, nets, type Net, type NetOptions } from '../nets/index';
import { evaluationGraph, parameterNames, type Model } from '../nets/model';
import { loadTeacher, type Teacher, type TeacherSpec } from '../teachers/index';
import { onIntegers, teacherPrecisions, type PrecisionOptions, type TeacherPrecision } from '../teachers/precision';
import { classWeights } from './class_weights';
import { isOver, type EarlyStopping } from './early_stopping';
import { refuseInt8 } from './int8_teacher';
import { fit, type EpochReport, type FitOptions, type StepReport } from './loop';
import { NanGuard, statesIn, type OnNan } from './nan_guard';
import { parameterRules } from './parameter_groups';
import { learningRate, type Schedule } from './schedules';
import type { Method } from './step_graph';
import { Trainer } from './trainer';

/** A method by its name, or as an object, with or without options. */
export type MethodChoice = string | Distiller | { readonly method: string | Distiller; readonly options: object };

/** Names and meanings are those of params.json, in camel case. */
export interface DistillationOptions {
  /** A network by its name, or your own. */
  readonly student: string | Net;
  readonly dataset: Dataset;
  readonly method: MethodChoice | readonly MethodChoice[];
  /** As in params.json, or a loaded teacher. */
  readonly teacher?: TeacherSpec | Teacher;
  /** What the teacher computes in, as in params.json: on `int8` it is compared with itself in float32 first. */
  readonly teacherPrecision?: TeacherPrecision;
  /** The share of the validation images on which both must agree; 0.98 by default. */
  readonly teacherAgreement?: number;
  /** Adam by default. */
  readonly optimizer?: Optimizer;
  /** 0.001 by default. */
  readonly learningRate?: number;
  /** The learning rate schedule; constant by default. */
  readonly schedule?: Schedule;
  /** 128 by default. */
  readonly batchSize?: number;
  /** Gradient accumulation steps: batches per optimizer step; 1 by default. */
  readonly accumulate?: number;
  /** Number of epochs; schedules depend on it. 1 by default. */
  readonly epochs?: number;
  /** `fit` stops when the validation accuracy has not improved for this many epochs. */
  readonly earlyStopping?: EarlyStopping;
  /** What to do if a loss or gradient is NaN or infinite; `stop` by default. */
  readonly onNan?: OnNan;
  /** Maximum global gradient norm. */
  readonly clipNorm?: number;
  /** Decay of a moving average of the weights (EMA), which replaces the weights in evaluation. */
  readonly ema?: number;
  /** Globs of parameters to freeze, and learning rate factors by glob. */
  readonly freeze?: string[];
  readonly learningRates?: Record<string, number>;
  readonly classWeights?: 'balanced' | number[];
  readonly labelSmoothing?: number;
  /** Fraction of the training set held out for validation; 0.1 by default. */
  readonly validation?: number;
  /** The data set's usual augmentation, such as random crop and flip; true by default. */
  readonly augment?: boolean;
  /** 0.9 by default. */
  readonly alpha?: number;
  /** 4 by default. */
  readonly temperature?: number;
  readonly seed?: number;
  /** Threads per operator; 0, the default, uses every core. */
  readonly threads?: number;
  /** The device, as in params.json; `auto` by default. */
  readonly device?: Device;
  /** Options of a named network: channels, dropout, hidden layers. */
  readonly net?: Partial<Omit<NetOptions, 'classes'>>;
  /** Receives warnings, for example about skipped steps. */
  readonly onWarning?: (line: string) => void;
}

export interface FitCallbacks {
  /** After each step. */
  readonly onStep?: (report: StepReport) => void | Promise<void>;
  /** After each epoch and its validation. */
  readonly onEpoch?: (report: EpochReport) => void | Promise<void>;
  /** Stops training after the current step; `save` then stores the position, and `fit` resumes there. */
  readonly signal?: AbortSignal;
}

/** All parts of a run from code. */
interface Parts {
  readonly options: DistillationOptions;
  readonly model: Model;
  readonly images: Partition;
  readonly batchSize: number;
  readonly trainer: Trainer;
  readonly backend: Backend;
}

export class Distillation {
  private position: Position = START;
  /** The state at the beginning of the current epoch, if `onNan` is `restore`. */
  private epochStart: NamedArrays | undefined;
  private guard: NanGuard | undefined;

  private constructor(private readonly parts: Parts) {}

  /** Builds the training step; see `distill`. */
  static async create(options: DistillationOptions): Promise<Distillation> {
    const { student, dataset, teacher, optimizer = adam(), validation = 0.1, batchSize: most = 128 } = options;
    const { seed = 0, threads = 0, device = 'auto', learningRate: base = 1e-3 } = options;
    const model: Model = {
      net: typeof student === 'string' ? known('student', student, nets, netAliases).build : student,
      options: { numChannels: 32, dropoutRate: 0, ...options.net, classes: dataset.classes.length },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const images = partition(dataset.train.size, { validation, subset: 1, seed });
    refuseUnknown('device', device, DEVICES);
    const { teacherPrecision: precision = 'float32', teacherAgreement: agreement = 1 } = options;
    refuseUnknown('teacherPrecision', precision, teacherPrecisions);
    if (!(agreement >= 0 && agreement <= 1))
      throw new UserError(`distill: teacherAgreement must be a number from 0 to 1, got ${agreement}`);
    const { backend } = await openDevice(device);
    threadsWarning('distill: threads', threads);
    const context = { threads, backend, log: () => {} };
    const loaded =
      teacher && 'shapes' in teacher ? teacher : teacher && (await loadTeacher(teacher, model, dataset, context));
    const batchSizes = batchSizesOf(images.train.length, most);
    const methods = [options.method].flat().map(chosen);
    const { alpha = 0.9, temperature = 4 } = options;
    const { freeze, learningRates: rates, classWeights: weights, accumulate = 1 } = options;
    const own = parameterNames(evaluationGraph(model));
    const step = {
      seed,
      methods,
      examples: dataset.train.size,
      optimizer,
      alpha,
      temperature,
      klReduction: 'batchmean' as const,
      classWeights: weights && classWeights(weights, images.train, dataset.train.labels, dataset.classes),
      labelSmoothing: options.labelSmoothing,
      rules: freeze || rates ? parameterRules({ freeze, learning_rates: rates, learning_rate: base }, own) : undefined,
      clipNorm: options.clipNorm,
      averageDecay: options.ema,
    };
    const isInt8 = loaded !== undefined && precision === 'int8';
    if (isInt8) refuseInt8(model, { ...step, batchSize: batchSizes[0], teacher: loaded });
    const found = isInt8 ? await onIntegers(loaded, int8Options(options, images, loaded)) : { teacher: loaded };
    const trainer = Trainer.create(model, batchSizes, {
      ...step,
      teacher: found.teacher,
      accumulates: accumulate > 1,
      threads,
      backend,
    });
    return new Distillation({ options, model, images, batchSize: batchSizes[0], trainer, backend });
  }

  /** Number of finished epochs. */
  get epoch(): number {
    return this.position.epoch;
  }

  /** The metrics of the epochs trained by `fit`. */
  get history(): readonly EpochRecord[] {
    return this.position.history;
  }

  /**
   * Trains until all `epochs` are done, `earlyStopping` stops it or `signal` is aborted, and validates after each
   * epoch. Another call, also after `restore`, resumes at the current position, even inside an epoch, with
   * bit-identical results. Returns the metrics of all epochs. Throws a UserError for a loss or gradient that is not
   * finite unless `onNan` handles it.
   */
  async fit({ onStep, onEpoch, signal }: FitCallbacks = {}): Promise<readonly EpochRecord[]> {
    const {
      epochs = 1,
      earlyStopping,
      schedule = { type: 'constant' },
      learningRate: base = 1e-3,
    } = this.parts.options;
    const unrecorded = this.epoch - this.history.length;
    await this.train({
      epochs,
      learningRate: (progress) => learningRate(schedule, base, progress),
      isOver: (history) => isOver(history, { num_epochs: epochs - unrecorded, early_stopping: earlyStopping }),
      validate: async () => ({ metrics: await this.validate() }),
      hooks: {
        onStep: async (report) => {
          this.position = report.position;
          await onStep?.(report);
          return signal?.aborted ? 'stop' : undefined;
        },
        onEpochEnd: async (report) => {
          this.position = report.position;
          await onEpoch?.(report);
        },
      },
    });
    return this.history;
  }

  /**
   * Trains one epoch at this learning rate, for your own loop. Returns means over examples: accuracy, loss, and the
   * parts of the loss.
   */
  async trainEpoch({ learningRate: rate }: { learningRate: number }): Promise<Readonly<Record<string, number>>> {
    const { history } = this.position;
    let metrics: Readonly<Record<string, number>> = {};
    await this.train({
      epochs: this.parts.options.epochs ?? 1,
      learningRate: () => rate,
      isOver: ({ length }) => length > history.length,
      hooks: { onEpochEnd: ({ record }) => void (metrics = record.train) },
    });
    // Without validation there is nothing to keep of it but that it is done.
    this.position = { ...this.position, history };
    return metrics;
  }

  /** Accuracy and loss of the student on the validation or test images. */
  async validate(part: 'validation' | 'test' = 'validation'): Promise<Metrics> {
    const { options, images, model, backend } = this.parts;
    const { dataset, threads = 0 } = options;
    const [split, indices]: [Split, Uint32Array] =
      part === 'test' ? [dataset.test, allOf(dataset.test)] : [dataset.train, images.validation];
    const evaluator = await Evaluator.create(model, this.student(), threads, backend);
    try {
      return await evaluator.evaluate(split, indices);
    } finally {
      await evaluator.release();
    }
  }

  /** The student's parameters and buffers under PyTorch's names, as views that are valid until the next step. */
  student(): NamedArrays {
    return this.parts.trainer.weights();
  }

  /** Writes the complete training state as safetensors; possible between any two steps. */
  async save(path: string): Promise<void> {
    const { state } = this.parts.trainer;
    await state.toHost();
    const amidEpoch = this.position.step > 0 ? (this.guard?.tensors ?? []) : [];
    const tensors = new Map([...state.arrays(), ...amidEpoch]);
    writeCheckpoint(path, { params: {}, position: this.position, tensors });
  }

  /**
   * Resumes from a file of `save`; or loads from any safetensors file only the tensors that `which` names. Throws a
   * UserError that names the file and the mismatch.
   */
  restore(path: string, which?: (name: string) => boolean): void {
    const { state } = this.parts.trainer;
    if (which) {
      const wanted = new Map([...readSafetensors(path).tensors].filter(([name]) => which(name)));
      const expected = new Map([...state.specs].filter(([name]) => wanted.has(name)));
      for (const [name, array] of matchStateDict(path, wanted, expected)) state.set(name, array);
      return;
    }
    const { tensors, metadata } = readSafetensors(path);
    // Files of earlier versions know the number of epochs alone.
    const position =
      metadata.epoch === undefined ? readCheckpoint(path).position : { ...START, epoch: Number(metadata.epoch) };
    const found = statesIn(tensors);
    for (const [name, array] of matchStateDict(path, found.state, state.specs)) state.set(name, array);
    this.epochStart = found.start && matchStateDict(path, found.start, state.specs);
    this.position = position;
  }

  release(): Promise<void> {
    return this.parts.trainer.release();
  }

  private async train(
    how: Pick<FitOptions, 'epochs' | 'learningRate' | 'isOver' | 'validate' | 'hooks'>,
  ): Promise<void> {
    const { trainer, images, batchSize, options } = this.parts;
    const { dataset, seed = 0, augment = true, accumulate = 1, onNan: policy = 'stop', onWarning = () => {} } = options;
    const { length: examples } = images.train;
    const steps = augmentationSteps(augment ? 'yes' : 'no', dataset.augmentation);
    const pass = { shape: dataset.shape, batchSize, seed, shuffle: true, augment: steps, views: trainer.views };
    const log = { warn: onWarning, error: onWarning };
    const checks = { policy, debug: false, batches: Math.ceil(examples / batchSize), accumulate, log, source: 'fit' };
    this.guard = new NanGuard(trainer, checks, this.position.trouble, this.epochStart);
    const { position } = await fit({
      ...how,
      trainer,
      guard: this.guard,
      batches: (epoch, start) => loadBatches(dataset.train, images.train, { ...pass, epoch, start }),
      examples,
      batchSize,
      accumulate,
      position: this.position,
    });
    this.position = position;
    this.epochStart = position.step > 0 ? statesIn(this.guard.tensors).start : undefined;
  }
}

function int8Options(
  { dataset, teacher, temperature = 4, teacherAgreement: agreement, onWarning }: DistillationOptions,
  { validation }: Partition,
  loaded: Teacher,
): PrecisionOptions {
  return {
    dataset,
    validation: { split: dataset.train, indices: validation },
    temperature,
    agreement,
    isOwned: teacher !== loaded,
    log: (level, line) => (level === 'warn' ? onWarning?.(line) : undefined),
  };
}

function chosen(choice: MethodChoice): Method {
  const { method, options } =
    typeof choice === 'object' && 'method' in choice ? choice : { method: choice, options: {} };
  const distiller = typeof method === 'string' ? known('method', method, distillers, methodAliases) : method;
  const filled = { ...options };
  const lines = mistakes({ type: 'object', properties: distiller.options, additionalProperties: false }, filled);
  if (lines.length > 0) throw new UserError(`distill: method: ${lines.join('; ')}`);
  return { name: typeof method === 'string' ? method : 'own', distiller, options: filled };
}

function known<T>(argument: string, name: string, entries: Readonly<Record<string, T>>, aliases: Aliases): T {
  const current = currentName(name, aliases);
  refuseUnknown(argument, current, Object.keys(entries));
  return entries[current]!;
}

function refuseUnknown(argument: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  throw new UserError(`distill: ${argument} must be one of ${names.join(', ')}, got "${name}"`);
}
