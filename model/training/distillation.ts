/** Distillation from code: a student, its teacher and a method, for people who write their own loop. */
import { openDevice, type Backend, type Device } from '../../engine/backends/index';
import { adam, type Optimizer } from '../../engine/optimizers/index';
import { matchStateDict } from '../../formats/checkpoints';
import { DEVICES } from '../../utils/devices';
import { UserError } from '../../utils/errors';
import { mistakes } from '../../utils/schema';
import type { NamedArrays } from '../../formats/ndarray';
import { readSafetensors, writeSafetensors } from '../../formats/safetensors';
import type { TeacherParams } from '../experiment/params';
import { augmentationSteps } from '../data/augmentation/index';
import { loadBatches, partition, type Partition } from '../data/loader';
import type { Dataset, Split } from '../data/dataset';
import { distillers, type Distiller } from '../distillers/index';
import { updateMeters, epochMetrics } from './meters';
import { allOf, Evaluator, type Metrics } from '../evaluation/evaluator';
import { nets, type Net, type NetOptions } from '../nets/index';
import type { Model } from '../nets/model';
import { loadTeacher, type Teacher } from '../teachers/index';
import type { Method } from './step_graph';
import { Trainer } from './trainer';
import type { Sums } from '../../runs/run_directory';
import { threadsWarning } from '../../utils/threads';

/** A method by its name or as an object, alone or with options. */
export type MethodChoice = string | Distiller | { readonly method: string | Distiller; readonly options: object };

export interface DistillationOptions {
  /** A network by its name, or one of your own. */
  readonly student: string | Net;
  readonly dataset: Dataset;
  readonly method: MethodChoice | readonly MethodChoice[];
  /** As in params.json, or a teacher that is loaded already. */
  readonly teacher?: TeacherParams | Teacher;
  /** Adam by default. */
  readonly optimizer?: Optimizer;
  readonly batchSize?: number;
  /** Part of the training set that is held out; 0.1 by default. */
  readonly validation?: number;
  /** What is usual for the data set, such as random crop and flip; yes by default. */
  readonly augment?: boolean;
  readonly alpha?: number;
  readonly temperature?: number;
  readonly seed?: number;
  /** Epochs that are planned, which schedules within methods depend on. */
  readonly epochs?: number;
  /** Threads of an operator; 0, the default, takes every core. */
  readonly threads?: number;
  /** Where it runs, as in params.json; `auto` by default. */
  readonly device?: Device;
  /** Of a network by its name: channels, dropout, hidden layers. */
  readonly net?: Partial<Omit<NetOptions, 'classes'>>;
}

export class Distillation {
  /** Epochs that are done. */
  epoch = 0;

  private constructor(
    private readonly options: Required<
      Pick<DistillationOptions, 'batchSize' | 'augment' | 'seed' | 'epochs' | 'threads'>
    >,
    private readonly dataset: Dataset,
    private readonly model: Model,
    private readonly parts: Partition,
    private readonly trainer: Trainer,
    private readonly backend: Backend,
  ) {}

  /** Builds the training step. Errors of names, options and files are UserErrors. */
  static async create(options: DistillationOptions): Promise<Distillation> {
    const { student, dataset, optimizer = adam(), validation = 0.1, alpha = 0.9, temperature = 4 } = options;
    const { batchSize = 128, augment = true, seed = 0, epochs = 1, threads = 0, device = 'auto' } = options;
    const model: Model = {
      net: typeof student === 'string' ? known('student', student, nets).build : student,
      options: { numChannels: 32, dropoutRate: 0, ...options.net, classes: dataset.classes.length },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const parts = partition(dataset.train.size, { validation, subset: 1, seed });
    refuseUnknown('device', device, DEVICES);
    const { backend } = await openDevice(device);
    threadsWarning('distill: threads', threads);
    const context = { threads, backend, log: () => {} };
    const { teacher } = options;
    const asked =
      teacher && 'outputs' in teacher ? teacher : teacher && (await loadTeacher(teacher, model, dataset, context));
    const full = Math.min(batchSize, parts.train.length);
    const rest = parts.train.length % full;
    const trainer = Trainer.create(model, rest > 0 ? [full, rest] : [full], {
      seed,
      methods: [options.method].flat().map(chosen),
      teacher: asked,
      examples: dataset.train.size,
      optimizer,
      alpha,
      temperature,
      klReduction: 'batchmean',
      threads,
      backend,
    });
    const settings = { batchSize: full, augment, seed, epochs, threads };
    return new Distillation(settings, dataset, model, parts, trainer, backend);
  }

  /** One pass over the training images. Means over examples: accuracy, loss, and its parts. */
  async trainEpoch({ learningRate }: { learningRate: number }): Promise<Record<string, number>> {
    const { batchSize, seed, augment, epochs } = this.options;
    const { train } = this.parts;
    const epoch = this.epoch + 1;
    const stepsBefore = this.epoch * Math.ceil(train.length / batchSize);
    const { views } = this.trainer;
    const steps = augmentationSteps(augment ? 'yes' : 'no', this.dataset.augmentation);
    const pass = { shape: this.dataset.shape, batchSize, seed, epoch, shuffle: true, augment: steps, views };
    let sums: Sums = {};
    let step = stepsBefore;
    for await (const batch of loadBatches(this.dataset.train, train, pass)) {
      const results = await this.trainer.step(batch, { step: ++step, epoch, epochs, learningRate });
      sums = updateMeters(sums, results, batch.size);
    }
    await this.trainer.state.toHost();
    this.epoch = epoch;
    return epochMetrics(sums);
  }

  /** Accuracy and loss of the student on the images that are held out, or on those of the test set. */
  async validate(part: 'validation' | 'test' = 'validation'): Promise<Metrics> {
    const [split, indices]: [Split, Uint32Array] =
      part === 'test' ? [this.dataset.test, allOf(this.dataset.test)] : [this.dataset.train, this.parts.validation];
    const evaluator = await Evaluator.create(this.model, this.student(), this.options.threads, this.backend);
    try {
      return await evaluator.evaluate(split, indices);
    } finally {
      await evaluator.release();
    }
  }

  /** The student's parameters and buffers under PyTorch's names, as views that are good until the next step. */
  student(): NamedArrays {
    return this.trainer.weights();
  }

  /** Writes all that the next step depends on, as safetensors. */
  save(path: string): void {
    writeSafetensors(path, this.trainer.state.arrays(), { epoch: String(this.epoch) });
  }

  /** Goes on from a file that `save` wrote; or takes from any safetensors file only the tensors that `which` names. */
  restore(path: string, which?: (name: string) => boolean): void {
    const { tensors, metadata } = readSafetensors(path);
    const { state } = this.trainer;
    const wanted = which ? new Map([...tensors].filter(([name]) => which(name))) : tensors;
    const expected = which ? new Map([...state.specs].filter(([name]) => wanted.has(name))) : state.specs;
    for (const [name, array] of matchStateDict(path, wanted, expected)) state.set(name, array);
    if (!which) this.epoch = Number(metadata.epoch ?? 0);
  }

  release(): Promise<void> {
    return this.trainer.release();
  }
}

function chosen(choice: MethodChoice): Method {
  const { method, options } =
    typeof choice === 'object' && 'method' in choice ? choice : { method: choice, options: {} };
  const distiller = typeof method === 'string' ? known('method', method, distillers) : method;
  const filled = { ...options };
  const lines = mistakes({ type: 'object', properties: distiller.options, additionalProperties: false }, filled);
  if (lines.length > 0) throw new UserError(`distill: method: ${lines.join('; ')}`);
  return { name: typeof method === 'string' ? method : 'own', distiller, options: filled };
}

function known<T>(argument: string, name: string, entries: Readonly<Record<string, T>>): T {
  refuseUnknown(argument, name, Object.keys(entries));
  return entries[name]!;
}

function refuseUnknown(argument: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  throw new UserError(`distill: ${argument} must be one of ${names.join(', ')}, got "${name}"`);
}
