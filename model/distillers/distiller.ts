/** What a distillation method is to the rest of the house: named losses on the outputs of student and teacher. */
import type { Tensor } from '../../engine/tensor';
import type { NetOutputs } from '../nets';

export interface Setting {
  readonly student: NetOutputs;
  /** (N, classes) of the teacher on the same pixels; there if the method needs a teacher. */
  readonly teacherLogits?: Tensor;
  /** (N) int32. */
  readonly labels: Tensor;
  readonly classes: number;
  readonly alpha: number;
  readonly temperature: number;
  readonly klReduction: 'batchmean' | 'mean';
}

export interface Distiller {
  readonly needsTeacher: boolean;
  /** Scalars by name, already weighted: what is minimised is their sum. */
  losses(setting: Setting): Readonly<Record<string, Tensor>>;
}
