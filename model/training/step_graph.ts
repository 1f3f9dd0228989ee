/** The training step of a run as a graph: forward pass, losses of its methods, gradients, update. */
import { ancestors } from '../../engine/autodiff';
import { Graph } from '../../engine/graph';
import { add, detach, mul, oneHot, reshape, sub } from '../../engine/ops/index';
import {
  averageWeights,
  leaveOutNonFinite,
  lossScale,
  minimize,
  trainable,
  type MinimizeOptions,
  type Optimizer,
  type Parts,
} from '../../engine/optimizers/index';
import type { Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import type { Distiller, DistillContext, KlReduction, Losses, Phase } from '../distillers/index';
import { weightedCrossEntropy } from '../distillers/nokd';
import { DISTILLER_PREFIX, isOfStudent } from '../distillers/states';
import { FeatureMaps } from '../nets/feature_maps';
import { studentHead, teacherHead, type Head } from '../nets/heads';
import { Layers, type LayersOptions } from '../nets/layers';
import { correct, normalizedImages, type Model } from '../nets/model';
import type { Teacher } from '../teachers/teacher';
import { MethodContext } from './method_context';
import type { ParameterRules } from './parameter_groups';

/** Prefix of the inputs for teacher outputs. */
export const TEACHER_PREFIX = 'teacher/';
/** Separates the name of an input from its view. */
export const VIEW = '@';

/** A method with its options. */
export interface Method {
  readonly name: string;
  readonly distiller: Distiller;
  readonly options: object;
}

/** What a step needs to know about the teacher. */
type TaughtBy = Pick<Teacher, 'shapes' | 'network'> & { readonly members?: readonly Pick<Teacher, 'shapes'>[] };

export interface TrainingOptions {
  readonly batchSize: number;
  /** The size of the run's largest batches; `batchSize` by default. */
  readonly largestBatch?: number | undefined;
  readonly seed: number;
  readonly methods: readonly Method[];
  readonly teacher?: TaughtBy | undefined;
  /** Size of the training set. */
  readonly examples: number;
  /** Whether images and their labels are mixed. */
  readonly mixes?: boolean;
  readonly optimizer: Optimizer;
  readonly alpha: number;
  readonly temperature: number;
  readonly klReduction: KlReduction;
  /** The weight of each class in the cross-entropy; equal by default. */
  readonly classWeights?: readonly number[] | undefined;
  /** Label smoothing: the fraction of each target spread over all classes; 0 by default. */
  readonly labelSmoothing?: number | undefined;
  /** Settings of the student's parameters. */
  readonly rules?: ParameterRules | undefined;
  readonly clipNorm?: number | undefined;
  /** Whether the loss is scaled for float16 gradients. */
  readonly scalesLoss?: boolean | undefined;
  /** Decay of the moving average of the student's weights; without it there is no average. */
  readonly averageDecay?: number | undefined;
}

/** The kinds of steps of a run: those of a method with several phases, or otherwise one that minimizes all losses. */
export function phasesOf(methods: readonly Method[]): readonly (Phase | undefined)[] {
  const phased = methods.find(({ distiller }) => 'phases' in distiller);
  if (!phased) return [undefined];
  if (methods.length > 1) throw new UserError(`"method": "${phased.name}" cannot be combined with others`);
  return phased.distiller.phases!(phased.options);
}

/**
 * One optimizer step on a batch. Inputs, each only if something depends on it: images uint8 (N, C, H, W), labels int32
 * (N), indices int32 (N), for mixed images mixedLabels int32 (N) and mixedShare float32 (N), teacher/<output> float32
 * (N, …), all of them with `@<view>` for another view of the images, and what `graph.feeds(context)` gives. With several
 * micro-batches per optimizer step, the last one has the `accumulation` 'apply', the others 'add'. Outputs: loss,
 * loss/<name> for each, correct (a count) if the student sees images and its classifier is trained.
 */
export function trainingGraph(
  model: Model,
  options: TrainingOptions,
  phase?: Phase,
  accumulation?: MinimizeOptions['accumulation'],
): Graph {
  const step = new StepBuilder(model, options);
  const losses = step.losses(phase);
  const { graph } = step;
  const loss = Object.values(losses).reduce(add);
  const reached = ancestors(loss);
  const { rules, clipNorm, averageDecay, scalesLoss = false } = options;
  const isTrained = (name: string) => (phase?.trains(name) ?? true) && !rules?.isFrozen(name);
  const parameters = trainable(graph).filter((one) => reached.has(one) && isTrained(one.name));
  const rate = rules && ((name: string) => rules.rate(name));
  const scale = scalesLoss ? lossScale(graph) : undefined;
  minimize(loss, options.optimizer, parameters, {
    ...(rate && { rate }),
    clipNorm,
    accumulation,
    scale,
    parts: partsOf(losses),
  });
  if (averageDecay !== undefined && accumulation !== 'add') averageWeights(graph, averageDecay, isOfStudent);
  if (scalesLoss) leaveOutNonFinite(graph);
  graph.output('loss', loss);
  for (const [name, value] of Object.entries(losses)) graph.output(`loss/${name}`, value);
  const leavesClassifier = options.methods.length > 0 && options.methods.every((one) => one.distiller.trainsVectors);
  if (step.seesImages && !leavesClassifier) graph.output('correct', correct(step.student.logits, step.labels));
  return graph;
}

/** The sum of the losses of all methods on a batch, in evaluation mode, as `loss`; inputs are those of `trainingGraph`. */
export function lossGraph(model: Model, options: TrainingOptions): Graph {
  const step = new StepBuilder(model, options, 'eval');
  step.graph.output('loss', Object.values(step.losses()).reduce(add));
  return step.graph;
}

/** The cross-entropies with the labels, called `ce` or `<what>_ce`, and all other losses. */
function partsOf(losses: Losses): Parts<Tensor> {
  const sumOf = (isWanted: boolean) => {
    const own = Object.keys(losses).filter((name) => /(^|_)ce$/.test(name) === isWanted);
    return own.length > 0 ? own.map((name) => losses[name]!).reduce(add) : undefined;
  };
  return { task: sumOf(true), distillation: sumOf(false) };
}

/** Shared by the methods of a step; everything is built on first use. */
export class StepBuilder {
  readonly graph = new Graph();
  /** Keys of params.json that the methods use. */
  readonly asked = new Set<string>();
  private readonly made = new Map<string, unknown>();
  /** The named feature maps of the student on the images of the batch. */
  private readonly madeByStudent = new Map<string, Tensor>();

  /** In mode 'eval', student and additional layers change nothing: to judge weights by the losses. */
  constructor(
    readonly model: Model,
    readonly options: TrainingOptions,
    private readonly mode: 'train' | 'eval' = 'train',
  ) {}

  /** The losses of all methods, and cross-entropy if it is none of them and labels count. */
  losses(phase?: Phase): Losses {
    const { methods } = this.options;
    const losses: Record<string, Tensor> = {};
    for (const { name, distiller, options } of methods) {
      const own = (phase ?? distiller).losses?.(this.context(distiller.stateName ?? name, options)) ?? {};
      for (const [key, loss] of Object.entries(own)) losses[key] = losses[key] ? add(losses[key], loss) : loss;
    }
    if (!phase && !saysWhatLabelsCount(methods)) {
      losses.ce = this.crossEntropy(this.student.logits);
    }
    return losses;
  }

  get labels(): Tensor {
    return this.once('labels', () => this.graph.input('labels', 'int32', [this.options.batchSize]));
  }

  get targets(): Tensor {
    return this.once('targets', () => this.mixed(oneHot(this.labels, this.model.options.classes)));
  }

  crossEntropy(logits: Tensor): Tensor {
    const { classWeights: weights, labelSmoothing: smoothing } = this.options;
    return weightedCrossEntropy(logits, this.targets, { weights, smoothing });
  }

  get indices(): Tensor {
    return this.once('indices', () => this.graph.input('indices', 'int32', [this.options.batchSize]));
  }

  get student(): FeatureMaps {
    return this.studentAt(undefined);
  }

  /** Whether the student was built on the images of the batch. */
  get seesImages(): boolean {
    return this.made.has('student');
  }

  get teacher(): FeatureMaps {
    return this.teacherAt(undefined);
  }

  get studentHead(): Head {
    return this.once('student head', () => studentHead(this.student));
  }

  get teacherHead(): Head {
    return this.once('teacher head', () => teacherHead(this.teacher, this.teacherSource.network, this.graph));
  }

  get teachers(): FeatureMaps[] {
    const { members } = this.teacherSource;
    return members?.map((member, i) => this.fed(`${i}/`, member.shapes, undefined)) ?? [this.teacher];
  }

  /** Reads an option that is a key of params.json, and records its use. */
  param(key: string): TrainingOptions {
    this.asked.add(key);
    return this.options;
  }

  /** The context of the method `name`. */
  context(name: string, own: object): DistillContext {
    const prefix = `${DISTILLER_PREFIX}${name}.`;
    return new MethodContext(this, own, new Layers(this.graph, { mode: this.mode, seed: this.options.seed, prefix }));
  }

  studentAt(view: string | undefined): FeatureMaps {
    if (view === undefined) return this.once('student', () => this.studentOn(this.imagesAt(undefined), this.mode, ''));
    void this.student;
    return this.once(named('student', view), () => this.studentOn(this.imagesAt(view), this.mode, view));
  }

  /**
   * Another student on the images of the batch: shares the layers up to the output `stage`; the layers after it are
   * new, created by `beside`.
   */
  branch(stage: string, beside: LayersOptions): FeatureMaps {
    const before = ancestors(this.student.get(stage));
    const shared = new Map([...this.madeByStudent].filter(([, tensor]) => before.has(tensor)));
    const { net, options } = this.model;
    return FeatureMaps.of(
      beside.prefix!,
      net(new Layers(this.graph, { ...beside, shared }), this.imagesAt(undefined), options),
    );
  }

  /**
   * The student on a view of the images with averages in place of its weights, which are states under `prefix`; each is blended
   * with the weight before the step, by the share `decay` of the old one.
   */
  averaged(decay: Tensor, view: string, prefix: string): FeatureMaps {
    void this.student;
    const stands = (name: string) => this.once(`${prefix}${name}`, () => moved(this.graph, name, decay, prefix));
    const layers = new Layers(this.graph, { mode: 'train', seed: this.options.seed, prefix, stands });
    return FeatureMaps.of('averaged student', this.model.net(layers, this.imagesAt(view), this.model.options));
  }

  /** The student on images; `pass` tells its passes apart, '' is that on the images of the batch. */
  studentOn(images: Tensor, mode: 'train' | 'eval', pass: string): FeatureMaps {
    const { net, options } = this.model;
    const { seed, rules } = this.options;
    const fixesNorm = rules && ((weight: string) => rules.fixesNorm(weight));
    const layers = new Layers(this.graph, {
      seed,
      mode,
      pass,
      fixesNorm,
      made: pass === '' ? this.madeByStudent : new Map(),
    });
    return FeatureMaps.of('student', net(layers, images, options));
  }

  teacherAt(view: string | undefined): FeatureMaps {
    return this.fed('', this.teacherSource.shapes, view);
  }

  teacherOn(images: Tensor): FeatureMaps {
    const { network } = this.teacherSource;
    if (!network) {
      throw new UserError(
        '"teacher" must be a net with a checkpoint, on images of its student: gradients flow through it',
      );
    }
    const frozen = new Layers(this.graph, { mode: 'eval', seed: 0, frozen: network.weights });
    return FeatureMaps.of('teacher', network.model.net(frozen, images, network.model.options));
  }

  imagesAt(view: string | undefined): Tensor {
    const name = named('images', view);
    return this.once(name, () => normalizedImages(this.graph, this.model, this.options.batchSize, name));
  }

  /** (1 − share) · target + share · target of the mixed-in example. */
  private mixed(targets: Tensor): Tensor {
    const { batchSize, mixes = false } = this.options;
    if (!mixes) return targets;
    const others = oneHot(this.graph.input('mixedLabels', 'int32', [batchSize]), this.model.options.classes);
    const share = reshape(this.graph.input('mixedShare', 'float32', [batchSize]), [batchSize, 1]);
    return add(targets, mul(share, sub(others, targets)));
  }

  private get teacherSource() {
    const { teacher } = this.options;
    if (!teacher) throw new Error('training: the method needs a teacher');
    return teacher;
  }

  /** Outputs of a teacher; each becomes an input of the graph on first use. */
  private fed(prefix: string, shapes: Teacher['shapes'], view: string | undefined): FeatureMaps {
    const { batchSize } = this.options;
    const tensors = [...shapes].map(([output, shape]) => {
      const name = named(`${TEACHER_PREFIX}${prefix}${output}`, view);
      return [output, () => this.once(name, () => this.graph.input(name, 'float32', [batchSize, ...shape]))] as const;
    });
    return new FeatureMaps('teacher', new Map(tensors));
  }

  private once<T>(name: string, make: () => T): T {
    if (!this.made.has(name)) this.made.set(name, make());
    return this.made.get(name) as T;
  }
}

/** a ← d a + (1 − d) w of the state w called `name`, kept under `prefix`. */
function moved(graph: Graph, name: string, decay: Tensor, prefix: string): Tensor {
  const { tensor, initial } = graph.states.get(name)!;
  const old = graph.buffer(`${prefix}${name}`, 'float32', tensor.shape, initial);
  const next = detach(add(mul(old, decay), mul(tensor, sub(1, decay))));
  graph.update(old, next);
  return next;
}

/** Whether one of the methods has the cross-entropy among its losses, or all of them do without labels. */
function saysWhatLabelsCount(methods: readonly Method[]): boolean {
  const ignores = ({ distiller, options }: Method) => distiller.ignoresLabels?.(options) ?? false;
  return (
    methods.some(({ distiller }) => distiller.includesCrossEntropy) || (methods.length > 0 && methods.every(ignores))
  );
}

function named(name: string, view: string | undefined): string {
  return view === undefined ? name : `${name}${VIEW}${view}`;
}
