/// <reference types="node" preserve="true" />
/** The public API, imported as `distillery`: for your own methods and training loops. */
export * from './engine/ops';
export type { Tensor } from './engine/tensor';
export * from './engine/optimizers';
export {
  distillers,
  type Distiller,
  type Losses,
  type Phase,
  type DistillContext,
  type Stage,
} from './model/distillers';
export { crossEntropy } from './model/nets/cross_entropy';
export { kdLoss } from './model/distillers/logits/kd';
export { layerOptions, layerPairs, sameSize, type LayerOptions } from './model/distillers/pairs';
export type { Layers } from './model/nets/layers';
export { nets, type Net, type NetModule, type NetOptions, type NetOutputs } from './model/nets';
export { loadDataset } from './model/data';
export type { Dataset } from './model/data/dataset';
export { loadTeacher, type Teacher } from './model/teachers';
export { Evaluator } from './model/evaluation/evaluator';
export { createStudy, type Study, type StudyOptions, type TrialOutcome } from './search/study';
export type { StudyTrial } from './search/study_trial';
export type { ParamsOf, SearchDimension } from './search/space/typed_space';
export { EventWriter } from './formats/tensorboard';
export { readSafetensors, writeSafetensors } from './formats/safetensors';

import { Distillation, type DistillationOptions } from './model/training/distillation';

export {
  Distillation,
  type DistillationOptions,
  type FitCallbacks,
  type MethodChoice,
} from './model/training/distillation';
export type { EpochReport, StepReport } from './model/training/loop';

/**
 * Builds a student, its teacher and the training step; does not train yet. Throws a UserError for an invalid name,
 * option or file.
 *
 *     const run = await distill({ student: 'cnn', dataset, teacher, method: 'kd', epochs: 30 });
 *     await run.fit({ onEpoch: ({ record }) => console.log(record.val) });
 */
export function distill(options: DistillationOptions): Promise<Distillation> {
  return Distillation.create(options);
}
