/** From the params of an experiment to its student: shared by the scripts. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { ForeignNetwork } from '../../engine/onnx/trainable/network';
import { readOnnxWeights } from '../../engine/onnx/weights';
import { readBytes } from '../../formats/binary';
import { matchStateDict, parseWeights, readWeights } from '../../formats/checkpoints';
import { isOnnx } from '../../formats/file_kinds';
import type { NamedArrays, TensorSpec } from '../../formats/ndarray';
import { runFiles, weightFiles } from '../../runs/files';
import { RunDirectory } from '../../runs/run_directory';
import { UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
import { isModulePath } from '../../utils/own_module';
import { checkNormalize, type Dataset } from '../data/dataset';
import { distillers } from '../distillers/index';
import { DISTILLER_PREFIX, ofStudent } from '../distillers/states';
import { netCalled } from '../nets/index';
import { evaluationGraph, specsOf, type Model } from '../nets/model';
import { readNetOptions } from '../nets/net_params';
import { isOnnxPath, netOfOnnx } from '../nets/onnx_net';
import type { Method } from '../training/step_graph';
import { loadMethod } from './own_methods';
import { located } from './own_paths';
import { netOf, parseParams, readGivenParams, type Params } from './params';

/**
 * The student of an experiment on the images of its data set. Throws a UserError for a normalization with another
 * number of channels.
 */
export function studentOf(params: Params, dataset: Pick<Dataset, 'name' | 'classes' | 'normalize' | 'shape'>): Model {
  const {
    model_version: version,
    model_weights: starting = 'file',
    model_options: options,
    model_outputs: named,
  } = params;
  const foreign = isOnnxPath(version) ? ForeignNetwork.read(version) : undefined;
  const entry = foreign ? undefined : netCalled(netOf(params), options);
  checkNormalize(runFiles.params, params.normalize, dataset);
  return {
    net: foreign ? netOfOnnx(foreign, starting, named) : entry!.build,
    aliases: entry?.aliases,
    remarks: foreign?.remarks.map((remark) => `${version}: ${remark}`),
    options: readNetOptions(params, dataset.classes.length),
    normalize: params.normalize ?? dataset.normalize,
    input: dataset.shape,
  };
}

/** The params of an experiment, as given in params.json and with defaults filled in. */
export interface Experiment {
  readonly given: Readonly<Record<string, unknown>>;
  readonly params: Params;
}

/** Reads, once, and checks an experiment's params.json, whose methods may be custom modules. Throws UserErrors. */
export function readExperiment(path: string): Experiment {
  const { given, params } = readAsWritten(path);
  return { given, params: located(params, dirname(path)) };
}

/** The same, with paths inside the directory as written. */
export function readAsWritten(path: string): Experiment {
  const given = readGivenParams(path);
  return { given, params: parseParams(given, path) };
}

/** The methods of an experiment; one of its own is called as its file without the ending. */
export function methodsOf(params: Params): Method[] {
  return params.method.map(({ name, ...options }) =>
    isModulePath(name)
      ? { name: basename(name, extname(name)), distiller: loadMethod(name), options }
      : { name, distiller: distillers[name]!, options },
  );
}

/** The modules of its custom methods. */
export function methodFiles(params: Params): string[] {
  return params.method.map(({ name }) => name).filter(isModulePath);
}

/** Whether its methods train vectors and leave the student's classifier as it is. */
export function trainsVectors(params: Params): boolean {
  return methodsOf(params).every(({ distiller }) => distiller.trainsVectors);
}

/** The file of the weights that a run starts from: the given file, or the best weights of a run's directory. */
export function initialFile(checkpoint: string): string {
  const isRun = existsSync(checkpoint) && statSync(checkpoint).isDirectory();
  return isRun ? checkpointPath(new RunDirectory(checkpoint), 'best') : checkpoint;
}

/** Whether one of its methods needs a teacher. */
export function needsTeacher(params: Params): boolean {
  return methodsOf(params).some(({ distiller }) => distiller.needsTeacher);
}

/** The file of a named checkpoint: `best` or `last` of a run, or a file. Throws a UserError if it does not exist. */
export function checkpointPath(run: RunDirectory, name: string): string {
  const candidates = [name, ...weightFiles(name)].map((file) => run.file(file));
  const isOwn = name === 'best' || name === 'last';
  const path = candidates.find(isThere) ?? (isOwn ? candidates[1]! : name);
  if (!isThere(path)) throw new UserError(`${path}: no such file`);
  return path;
}

/** Reads all weights of the network from a file; ignores additional layers. `log` receives notes about the file. */
export async function loadWeights(path: string, model: Model, log?: (line: string) => void): Promise<NamedArrays> {
  const { aliases } = model;
  return matchStateDict(path, ofStudent(await readWeights(path, { log })), specsOf(evaluationGraph(model)), {
    aliases,
    log,
  });
}

/**
 * A line about external weights without a normalization in params.json: images get the data set's usual normalization,
 * while external weights often expect another one.
 */
export function normalizationNotice(
  path: string,
  run: RunDirectory,
  { normalize }: Params,
  dataset: Dataset,
): string | undefined {
  const own = [runFiles.best, runFiles.last, runFiles.previous].map((name) => resolve(run.file(name)));
  if (normalize || own.includes(resolve(path))) return undefined;
  const { mean, std } = dataset.normalize;
  return (
    `${path} is not from this run; images are normalized with the mean [${mean.join(', ')}] and std [${std.join(', ')}] of ` +
    `${dataset.name}; if it was trained with other values, set "normalize" in params.json`
  );
}

/**
 * The weights that a run starts from: those of the network that `skip` does not match, and those of additional layers
 * in the file. `specs` are those of all states.
 */
export async function initialWeights(
  { checkpoint, skip = [], key, rename }: NonNullable<Params['init']>,
  model: Model,
  specs: ReadonlyMap<string, TensorSpec>,
  log?: (line: string) => void,
): Promise<NamedArrays> {
  const path = initialFile(checkpoint);
  const expected = specsOf(evaluationGraph(model));
  const bytes = readBytes(path);
  const weights = isOnnx(bytes) ? readOnnxWeights(bytes, path) : await parseWeights(bytes, path, { key, log });
  const beside = new Map([...weights].filter(([name]) => name.startsWith(DISTILLER_PREFIX)));
  const student = new Map([...weights].filter(([name]) => !beside.has(name)));
  const fits = (name: string, { dtype, shape }: TensorSpec) => {
    const spec = specs.get(name);
    return spec?.dtype === dtype && spec.shape.join() === shape.join();
  };
  const kept = [...beside].filter(([name, array]) => fits(name, array));
  return new Map([
    ...matchStateDict(path, student, expected, { skip, skipKey: 'init.skip', rename, aliases: model.aliases, log }),
    ...kept,
  ]);
}
