/** Every key of params.json, filled: those that one room reads are declared there, with its registry. */
import type { Device, Precision } from '../../../utils/devices';
import type { AugmentationParams } from '../../data/augmentation/index';
import type { DatasetParams } from '../../data/index';
import type { NormalizeParams } from '../../data/normalize';
import type { KlReduction, MethodParams } from '../../distillers/index';
import type { PartitionParams } from '../../evaluation/predict';
import type { NetParams } from '../../nets/net_params';
import type { StartingWeights } from '../../nets/onnx_net';
import type { NamedOutputs } from '../../nets/onnx_outputs';
import type { WeightsParams } from '../../nets/weights_params';
import type { TeacherParams } from '../../teachers/index';
import type { TeacherPrecision } from '../../teachers/precision';
import type { TeacherCacheParams } from '../../teachers/teacher_cache';
import type { EarlyStopping } from '../../training/early_stopping';
import type { OnNan } from '../../training/nan_guard';
import type { TransferParams } from '../../training/parameter_groups';
import type { Schedule } from '../../training/schedules';
import type { TrackerParams } from '../trackers';

export interface Params extends NetParams, PartitionParams, TransferParams, TeacherCacheParams {
  /** `<net>`, `<net>_distill`, or the path of a network in an ONNX file or a module. */
  readonly model_version: string;
  /** What the parameters of a network in an ONNX file start as; the file's values where absent. */
  readonly model_weights?: StartingWeights;
  /** Options of a network in a module. */
  readonly model_options?: Readonly<Record<string, unknown>>;
  /** Values inside a network in an ONNX file by what methods call them; those found by themselves where absent. */
  readonly model_outputs?: NamedOutputs;
  /** What is minimized: the sum of the losses of these. */
  readonly method: MethodParams[];
  /** Where the student's weights come from, a file or the directory of a run, but for those that `skip` matches; random ones where absent. */
  readonly init?: { readonly checkpoint: string } & WeightsParams;
  readonly dataset: DatasetParams;
  /** Of the pixels as the student sees them; what is usual for the data set where absent. */
  readonly normalize?: NormalizeParams;
  readonly data_dir: string;
  readonly augmentation: AugmentationParams;
  /** One teacher, or several whose logits are averaged. */
  readonly teacher: 'none' | TeacherParams | TeacherParams[];
  /** What the teacher computes in; float32 where absent. */
  readonly teacher_precision?: TeacherPrecision;
  /** The share of validation images on which it must agree with itself in float32; 0.98 where absent. */
  readonly teacher_agreement?: number;
  /** Weight of the soft term; the hard term has 1 − alpha. */
  readonly alpha: number;
  readonly temperature: number;
  readonly kl_reduction: KlReduction;
  /** Of the cross-entropy: a number for each class, or what makes all classes count the same. */
  readonly class_weights?: 'balanced' | number[];
  readonly label_smoothing?: number;
  /** Share of the training labels that are replaced by wrong ones. */
  readonly label_noise?: number;
  /** "balanced": classes are equally frequent in an epoch. */
  readonly sampling?: 'shuffled' | 'balanced';
  /** Micro-batches of an optimizer step; 1 where absent. */
  readonly accumulate?: number;
  /** Maximum norm of all gradients together. */
  readonly clip_norm?: number;
  /** Decay of a moving average of the weights, which is then what is evaluated and kept. */
  readonly ema?: number;
  readonly early_stopping?: EarlyStopping;
  /** "stop" where absent. */
  readonly on_nan?: OnNan;
  readonly batch_size: number;
  readonly save_summary_steps: number;
  /** The longest that training goes on without a checkpoint. */
  readonly checkpoint_every: string;
  readonly num_workers: number;
  /** TensorBoard alone where absent. */
  readonly trackers?: readonly TrackerParams[];
  readonly optimizer: string;
  readonly momentum: number;
  /** Of "dot"; 0.075 where absent. */
  readonly dot_delta?: number;
  readonly nesterov: boolean;
  readonly weight_decay: number;
  readonly schedule: Schedule;
  /** What steps, teacher and evaluation run on; the best there is where absent. */
  readonly device?: Device;
  /** Of products in training steps; float32 where absent. */
  readonly precision?: Precision;
}
