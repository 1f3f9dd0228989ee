/** What a distillation method is to the rest of the house: named losses on what student and teacher make of a batch. */
import type { StepContext } from '../../engine/step_context';
import type { Tensor } from '../../engine/tensor';
import type { Schema } from '../../utils/schema';
import type { Head } from '../nets/heads';
import type { Layers } from '../nets/layers';
import type { FeatureMaps } from '../nets/feature_maps';

/** What a divergence is divided by: the examples, or these times the classes. */
export type KlReduction = 'batchmean' | 'mean';

/** A method by its name, and its own options. */
export type MethodParams = { readonly name: string } & Readonly<Record<string, unknown>>;

/** Scalars by name, weighted already: what is minimized is their sum. */
export type Losses = Readonly<Record<string, Tensor>>;

/** What a method may use. All of it is made when it is first asked for. */
export interface DistillContext<Options extends object = object> {
  /** The method's own options, filled. */
  readonly options: Options;
  /** The student on the images of the batch, training. */
  readonly student: FeatureMaps;
  /** The teacher on the same pixels; of several the mean of their logits. No gradient flows into it. */
  readonly teacher: FeatureMaps;
  /** Each teacher on the same pixels. */
  readonly teachers: readonly FeatureMaps[];
  /** What the student ends with. */
  readonly studentHead: Head;
  /** What the teacher ends with, frozen; it must be one net with a checkpoint. */
  readonly teacherHead: Head;
  /** (N) int32, from 0. */
  readonly labels: Tensor;
  /** (N, classes): what the labels say, one-hot unless examples are mixed. */
  readonly targets: Tensor;
  /** Of logits (N, classes) and the labels, with the class weights and the label smoothing of params.json. */
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
  /** Layers that are trained beside the student; they are kept in checkpoints and left out of the student's files. */
  readonly layers: Layers;
  /** Student and teacher on the same images seen through another augmentation, by its name. */
  view(name: string): { readonly student: FeatureMaps; readonly teacher: FeatureMaps };
  /** The student on other images (N, C, H, W), normalized; in 'eval' mode it is as evaluated. */
  studentOn(images: Tensor, mode: 'train' | 'eval'): FeatureMaps;
  /** The teacher on other images (N, C, H, W), normalized; gradients flow through it into them. */
  teacherOn(images: Tensor): FeatureMaps;
  /** One more network on the images of the batch, trained as part of `layers` under the prefix `name`. */
  peer(net: string, name: string): FeatureMaps;
  /**
   * The student's layers after its output `stage` once more, with weights of their own, trained as part of `layers` under the
   * prefix `name`; those before are shared.
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
  /** Factor of the run's learning rate; 1 where absent. */
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
export interface StagedRun {
  /** The student's net. */
  readonly net: string;
  readonly method: readonly MethodParams[];
  readonly num_channels: number;
  readonly hidden_sizes: readonly number[];
  readonly optimizer: string;
  readonly weight_decay: number;
  readonly schedule: object;
}

export interface Distiller<Options extends object = object> {
  /** One line: what it does, and the paper that it follows. */
  readonly title: string;
  /** What its layers are called in checkpoints, after `distiller.`, where that is an old name of the method. */
  readonly stateName?: string;
  /** JSON schema of each option, with its default; `title` says what it is and in which unit. */
  readonly options: Readonly<Record<string, Schema>>;
  readonly needsTeacher: boolean;
  /** Whether it asks for views. */
  readonly needsViews?: boolean;
  /** Whether the losses say themselves what the labels count for; otherwise cross-entropy is added with weight 1. */
  readonly includesCrossEntropy?: boolean;
  /** Whether labels count for nothing with these options, as in a stage that trains on features alone. */
  ignoresLabels?(options: Options): boolean;
  losses?(setting: DistillContext<Options>): Losses;
  /** In place of `losses`, for methods that train different things in turn. */
  phases?(options: Options): readonly Phase<Options>[];
  /** Runs that build on each other; none where `options` are those of such a stage. */
  stages?(options: Options, run: StagedRun): readonly Stage[];
}
