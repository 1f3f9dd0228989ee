/** From the params of an experiment to its student: what the scripts share. */
import { existsSync } from 'node:fs';
import { fitWeights, readWeights } from '../utils/checkpoints';
import { UserError } from '../utils/errors';
import type { NamedArrays } from '../utils/ndarray';
import { netOf, type Catalogue, type Params } from '../utils/params';
import type { RunDirectory } from '../utils/run_directory';
import { datasetNames } from './data';
import type { Dataset } from './data/dataset';
import { distillers } from './distillers';
import { nets } from './nets';
import { evaluationGraph, shapesOf, type Model } from './programs';

/** The names that params.json may use. */
export const catalogue: Catalogue = {
  nets: Object.fromEntries(Object.entries(nets).map(([name, { recipe }]) => [name, recipe])),
  methods: Object.keys(distillers),
  datasets: datasetNames,
};

/** The student of an experiment on the images of its data set. */
export function studentOf(params: Params, dataset: Dataset): Model {
  return {
    net: nets[netOf(params)]!.build,
    options: {
      classes: dataset.classes.length,
      numChannels: params.num_channels,
      dropoutRate: params.dropout_rate,
      hiddenSizes: params.hidden_sizes,
    },
    normalize: dataset.normalize,
    input: dataset.shape,
  };
}

/** The file of a named checkpoint: `best` or `last` of a run, or a file. One that is not there is a UserError. */
export function checkpointPath(run: RunDirectory, name: string): string {
  const candidates = ['', '.safetensors', '.pth.tar'].map((end) => run.file(name + end));
  const isOwn = name === 'best' || name === 'last';
  const path = candidates.find(existsSync) ?? (isOwn ? candidates[1]! : name);
  if (!existsSync(path)) throw new UserError(`${path}: no such file`);
  return path;
}

/** The weights in a file, which must be those of the network. */
export async function restoredWeights(path: string, model: Model): Promise<NamedArrays> {
  return fitWeights(path, await readWeights(path), shapesOf(evaluationGraph(model)));
}
