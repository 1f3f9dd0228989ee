/** The student of a run that trains vectors, as a network whose output is its vector in the space of the teacher. */
import type { NamedArrays } from '../../formats/ndarray';
import { readSafetensors } from '../../formats/safetensors';
import { runFiles } from '../../runs/files';
import { commandLine } from '../../utils/commands';
import { UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
import { DISTILLER_PREFIX } from '../distillers/states';
import { tensorsOf } from '../nets/feature_maps';
import { Layers } from '../nets/layers';
import type { Model, TrainedModel } from '../nets/model';
import { methodsOf } from './experiment';
import { trainedWeights, type TrainedExperiment } from './trained';

/**
 * The student with its vector through the linear layer that was trained beside it in place of the logits, and its weights.
 * Throws a UserError of one line if that layer was not saved.
 */
export async function vectorModel(experiment: TrainedExperiment): Promise<TrainedModel> {
  const { model, params } = experiment;
  const heads = headsOf(experiment);
  for (const { name, distiller, options } of methodsOf(params)) {
    const prefix = `${DISTILLER_PREFIX}${distiller.stateName ?? name}.`;
    for (const { output, layer } of distiller.heads?.(options) ?? []) {
      const [width, , ...places] = heads.get(`${prefix}${layer}.weight`)?.shape ?? [];
      if (width === undefined || places.length > 0) continue;
      const weights = new Map([...(await trainedWeights(experiment)), ...heads]);
      return { model: through(model, { output, prefix, layer, width }), weights };
    }
  }
  throw new UserError(`${experiment.file}: no vector of the student is mapped to one of the teacher: only maps are`);
}

interface Head {
  /** The output of the student that it maps. */
  readonly output: string;
  readonly prefix: string;
  readonly layer: string;
  readonly width: number;
}

function through(model: Model, { output, prefix, layer, width }: Head): Model {
  return {
    ...model,
    options: { ...model.options, classes: width },
    net: (layers, x) => {
      const outputs = model.net(layers, x, model.options);
      const own = new Layers(layers.graph, { ...layers.options, prefix });
      return { ...outputs, logits: own.linear(layer, tensorsOf(outputs).get(output)!, width) };
    },
  };
}

/** The layers that were trained beside the weights of a checkpoint: in its file, or beside the best weights. */
function headsOf({ run, file }: TrainedExperiment): NamedArrays {
  const [best, beside] = [run.file(runFiles.best), run.file(runFiles.bestHeads)];
  if (file === best && !isThere(beside)) {
    throw new UserError(`${beside}: no such file; ${commandLine('export')} --restore_file last exports the last epoch`);
  }
  const tensors = file === best ? run.readBest(readSafetensors(best).metadata) : readSafetensors(file).tensors;
  return new Map([...tensors].filter(([name]) => name.startsWith(DISTILLER_PREFIX)));
}
