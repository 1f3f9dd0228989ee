/** The interface of distillation methods: named losses on the outputs of student and teacher for a batch. */
import type { StepContext } from '../../engine/step_context';
import type { Tensor } from '../../engine/tensor';
import type { Schema } from '../../utils/schema';
import type { FeatureMaps } from '../nets/feature_maps';
import type { Head } from '../nets/heads';
import type { Layers } from '../nets/layers';
import type { ArchitectureParams } from '../nets/net_params';

/** The divisor of a divergence: the number of examples, or that times the number of classes. */
export type KlReduction = 'batchmean' | 'mean';

/** A method by its name, and its own options. */
export type MethodParams = { readonly name: string } & Readonly<Record<string, unknown>>;

/** Weighted scalars by name; their sum is minimized. */
export type Losses = Readonly<Record<string, Tensor>>;

/** What a method can use. Everything is built on first use. */
export interface DistillContext<Options extends object = object> {
  /** The method's own options, with defaults. */
  readonly options: Options;
  /** The student on the images of the batch, in training mode. */
  readonly student: FeatureMaps;
  /** The teacher on the same pixels; for several, the mean of their logits. No gradient flows into it. */
  readonly teacher: FeatureMaps;
  /** Each teacher on the same pixels. */
  readonly teachers: readonly FeatureMaps[];
  /** The head of the student. */
  readonly studentHead: Head;
  /** The frozen head of the teacher, which must be one net with a checkpoint. */
  readonly teacherHead: Head;
  /** (N) int32, from 0. */
  readonly labels: Tensor;
  /** (N, classes): the targets, one-hot unless examples are mixed. */
  readonly targets: Tensor;
  /**
   * Cross-entropy of logits (N, classes) and the labels, with the class weights and the label smoothing of params.json.
   */
  readonly crossEntropy: (logits: Tensor) => Tensor;
  /** (N) int32: numbers of the examples within the training set. */
  readonly indices: Tensor;
  /** Size of the training set that `indices` count in. */
  readonly examples: number;
  readonly classes: number;
  /** Channels, height and width of the images. */
  readonly input: readonly [channels: number, height: number, width: number];
  readonly batchSize: number;
  /** The size of the run's largest batches: the last one of an epoch may be smaller. */
  readonly largestBatch: number;
  /** `alpha`, `temperature` and `kl_reduction` of params.json. */
  readonly alpha: number;
  readonly temperature: number;
  readonly klReduction: KlReduction;
  /** Additional layers trained with the student; stored in checkpoints, but not in the student's files. */
  readonly layers: Layers;
  /** Student and teacher on the same images seen through another augmentation, by its name. */
  view(name: string): { readonly student: FeatureMaps; readonly teacher: FeatureMaps };
  /** The student on other images (N, C, H, W), normalized; optionally in 'eval' mode. */
  studentOn(images: Tensor, mode: 'train' | 'eval'): FeatureMaps;
  /** The teacher on other images (N, C, H, W), normalized; gradients flow through it into them. */
  teacherOn(images: Tensor): FeatureMaps;
  /** Another network on the images of the batch, trained as part of `layers` under the prefix `name`. */
  peer(net: string, name: string): FeatureMaps;
  /**
   * A copy of the student's layers after its output `stage` with its own weights, trained as part of `layers` under the
   * prefix `name`; earlier layers are shared.
   */
  branch(stage: string, name: string): FeatureMaps;
  /**
   * The student with the moving averages w̄ of its weights in place of them, training, on the images of the batch seen through
   * another augmentation. w̄ ← d · w̄ + (1 − d) · w before each step, d = `decay`; no gradient flows into them.
   */
  averaged(decay: (context: StepContext) => number, view: string): FeatureMaps;
}

/** A kind of step; the kinds take turns. */
export interface Phase<Options extends object = object> {
  readonly name: string;
  /** Steps in a turn. */
  readonly steps: number;
  /** Factor of the run's learning rate; 1 by default. */
  readonly rate?: number;
  losses(setting: DistillContext<Options>): Losses;
  /** Whether a parameter, by its name, is trained in this phase. */
  trains(parameter: string): boolean;
}

/**
 * A run of its own that comes before: in stages/<n>_<name> of the run's directory, with the keys of params.json changed
 * as `changes` says; `before` is the directory of the stage before it, as params write it. The last stage of a method is the run itself.
 */
export interface Stage {
  readonly name: string;
  changes(before: string | undefined): Readonly<Record<string, unknown>>;
}

/** What the stages of a method are made from: the run's own methods, and what a student of another stage has in common with it. */
interface StagedRun extends ArchitectureParams {
  /** The student's net. */
  readonly net: string;
  readonly method: readonly MethodParams[];
  readonly optimizer: string;
  readonly weight_decay: number;
  readonly schedule: object;
}

export interface Distiller<Options extends object = object> {
  /** One line: what it does, and its paper. */
  readonly title: string;
  /** JSON schema of each option, with its default; `title` gives its meaning and unit. */
  readonly options: Readonly<Record<string, Schema>>;
  /** Prefix of its layers in checkpoints, after `distiller.`, if it differs from the method's name: an old name of the method. */
  readonly stateName?: string;
  readonly needsTeacher: boolean;
  /** A network that it trains, if it needs outputs that most do not have. */
  readonly exampleStudent?: string;
  /** Whether it uses views. */
  readonly needsViews?: boolean;
  /** Whether the losses include the cross-entropy; otherwise it is added with weight 1. */
  readonly includesCrossEntropy?: boolean;
  /** Whether labels are unused with these options, as in a stage that trains only on features. */
  ignoresLabels?(options: Options): boolean;
  /** Whether it trains the vectors of the student and not its classifier: they are judged by a linear probe. */
  readonly trainsVectors?: boolean;
  /**
   * Outputs of the student, and the layers, by their names in its context, that map them to outputs of the teacher: those of
   * methods that train vectors, for exports.
   */
  heads?(options: Options): readonly { readonly output: string; readonly layer: string }[];
  losses?(setting: DistillContext<Options>): Losses;
  /** Replaces `losses` for methods that alternate several kinds of steps. */
  phases?(options: Options): readonly Phase<Options>[];
  /** Runs that build on each other; none where `options` are those of such a stage. */
  stages?(options: Options, run: StagedRun): readonly Stage[];
}
