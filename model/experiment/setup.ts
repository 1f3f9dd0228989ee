/** Sets up an experiment from its params: device, images, student, teacher and the compiled training step. */
import { join } from 'node:path';
import { openDevice, type Device } from '../../engine/backends/index';
import type { NamedArrays } from '../../formats/ndarray';
import { runFiles } from '../../runs/files';
import type { Score } from '../../runs/metrics';
import type { Predictions } from '../../runs/predictions';
import { evenlySpaced } from '../../utils/spread';
import { threadsWarning } from '../../utils/threads';
import { counted } from '../../utils/words';
import type { Dataset, Split } from '../data/dataset';
import { hasNoLabels, isUnlabeled, loadDataset, type LoadProgress } from '../data/index';
import { batchSizesOf, loadBatches, type Batch } from '../data/loader';
import { ofStudent } from '../distillers/states';
import { Evaluator } from '../evaluation/evaluator';
import { partitionOf, predictLogits, validationImages } from '../evaluation/predict';
import { assessVectors } from '../evaluation/vectors';
import { outputShapes, type Model } from '../nets/model';
import { isOnnxPath } from '../nets/onnx_net';
import { hasCachedLogits, hasLogits, loadTeacher, teacherEntry, type Teacher } from '../teachers';
import { reportAgreement } from '../teachers/agreement';
import { onIntegers, type QuantizedTeacher } from '../teachers/precision';
import { teacherCacheOf, type TeacherCache } from '../teachers/teacher_cache';
import { heldOutLoss } from '../training/held_out_loss';
import { refuseInt8 } from '../training/int8_teacher';
import { Trainer } from '../training/trainer';
import { needsTeacher, studentOf, trainsVectors } from './experiment';
import { located } from './own_paths';
import type { Params } from './params';
import { ofFile, trainingConfig, type TrainingConfig } from './training_config';

export interface SetUpOptions {
  /** The directory of the experiment. */
  readonly directory: string;
  /** Overrides the device of the params. */
  readonly device?: Device | undefined;
  /** The cache folder of teacher outputs: shared by runs, or this run's own. */
  readonly cache?: { readonly shared: string | undefined; readonly own: string };
  readonly onLoading?: LoadProgress;
  readonly log: (level: 'info' | 'warn', line: string) => void;
  /** Profiles steps of one kind: ONNX Runtime writes into this folder. */
  readonly profile?: { readonly folder: string; readonly phase: string | undefined };
}

export interface Setup {
  /** The params, with the paths of this directory. */
  readonly params: Params;
  readonly device: Awaited<ReturnType<typeof openDevice>>;
  readonly dataset: Dataset;
  /** The training examples and the validation examples. */
  readonly train: Uint32Array;
  readonly validation: { readonly split: Split; readonly indices: Uint32Array };
  readonly model: Model;
  readonly teacher: Teacher | undefined;
  /** How close teachers on 8-bit integers are to themselves in float32. */
  readonly comparisons: readonly QuantizedTeacher[] | undefined;
  readonly cache: TeacherCache | undefined;
  readonly trainer: Trainer;
  /** The configuration of its steps. */
  readonly step: TrainingConfig['step'];
  readonly batchSize: number;
  readonly stepsPerEpoch: number;
  /** The batches of an epoch (counted from 1), without the first `start` ones. */
  readonly batches: (epoch: number, start: number) => AsyncGenerator<Batch>;
}

/** Opens and builds all that training needs, without writing files. Throws UserErrors that name params.json. */
export async function setUp(given: Params, options: SetUpOptions): Promise<Setup> {
  const { directory, log, profile } = options;
  const source = join(directory, runFiles.params);
  const params = located(given, directory);
  const { threads, seed } = params;
  const device = await openDevice(options.device ?? params.device ?? 'auto', params.precision);
  const { backend, precision } = device;
  const warning = threadsWarning(`${source}: "threads"`, threads);
  if (warning !== undefined) log('warn', warning);

  const dataset = await loadDataset({ dir: params.data_dir, ...params.dataset }, options.onLoading);
  const model = studentOf(params, dataset);
  for (const remark of model.remarks ?? []) log('warn', remark);
  if (isOnnxPath(params.model_version)) log('info', `${params.model_version}: ${outputsInWords(model)}`);
  const parts = partitionOf(params, dataset);
  const validation = validationImages(params, dataset, parts);
  const { length: examples } = parts.train;
  if (params.batch_size > examples) {
    log('warn', `"batch_size" is ${params.batch_size}: each step uses all of the ${counted(examples, 'image')}`);
  }

  const cache = options.cache && teacherCacheOf(params, { ...options.cache, device: backend.name, log });
  const context = { threads, backend, cache, log, ...(profile && { profile: join(profile.folder, 'teacher') }) };
  const loaded =
    needsTeacher(params) && params.teacher !== 'none'
      ? await loadTeacher(params.teacher, model, dataset, context)
      : undefined;

  // One step for full batches, and one for a smaller last batch.
  const batchSizes = batchSizesOf(examples, params.batch_size);
  const [batchSize] = batchSizes;
  const config = trainingConfig(params, model, dataset, parts.train, source);
  const isInt8 = loaded !== undefined && params.teacher_precision === 'int8';
  if (isInt8) ofFile(source, () => refuseInt8(model, { ...config.step, batchSize, teacher: loaded }));
  const { teacher, comparisons } = isInt8
    ? await onIntegers(loaded, { ...int8Options(params), dataset, validation, log })
    : { teacher: loaded };
  const trainer = ofFile(source, () =>
    Trainer.create(model, batchSizes, {
      ...config.step,
      teacher,
      backend,
      precision,
      ...(profile && { profile: join(profile.folder, 'step'), phase: profile.phase }),
    }),
  );
  const { teacher_views: looks } = params;
  return {
    params,
    device,
    dataset,
    train: parts.train,
    validation,
    model,
    teacher,
    comparisons,
    cache,
    trainer,
    step: config.step,
    batchSize,
    stepsPerEpoch: Math.ceil(examples / batchSize),
    batches: (epoch, start) =>
      loadBatches(config.split, config.examples(epoch), {
        shape: dataset.shape,
        batchSize,
        seed,
        epoch,
        looksOf: looks === undefined ? epoch : ((epoch - 1) % looks) + 1,
        shuffle: true,
        augment: config.augment,
        views: trainer.views,
        start,
        ahead: params.num_workers,
      }),
  };
}

function int8Options({ teacher, temperature, teacher_agreement: agreement }: Params) {
  const names = [teacher].flat().map((one) => (one === 'none' ? one : teacherEntry(one).fileOf(one)));
  return { names, temperature, agreement, isOwned: true };
}

/** Training images that a linear probe is fitted to. */
const PROBED = 5000;

/**
 * The metrics and predictions of weights of the student; with a teacher's logits, also the distance to them. Those of methods
 * that leave the classifier alone are of a linear probe and of the nearest neighbors of its vectors, or the loss of these methods
 * where no image has a label. `weights` may have the layers beside the student, which that loss needs.
 */
export async function assess(
  { model, params, device, dataset, train, step, teacher }: Setup,
  weights: NamedArrays,
  { split, indices }: Setup['validation'],
  teacherLogits?: Float32Array,
): Promise<{ metrics: Score; predictions?: Predictions }> {
  if (hasNoLabels(params.dataset)) {
    const options = { ...step, teacher: teacher!, backend: device.backend };
    return { metrics: { loss: await heldOutLoss(model, options, weights, { split, indices }) } };
  }
  if (trainsVectors(params)) {
    const judge = { model, classes: dataset.classes.length, threads: params.threads, backend: device.backend };
    const sorted = train.toSorted();
    const bank = { split: dataset.train, indices: evenlySpaced(sorted.length, PROBED).map((place) => sorted[place]!) };
    return assessVectors(judge, ofStudent(weights), { split, indices }, isUnlabeled(params.dataset) ? undefined : bank);
  }
  const evaluator = await Evaluator.create(model, ofStudent(weights), params.threads, device.backend);
  try {
    return await evaluator.assess(split, indices, teacherLogits);
  } finally {
    await evaluator.release();
  }
}

/**
 * The teacher's logits on the validation images, if available: cached logits cover training images only. Logs its
 * agreement with the labels.
 */
export async function askTeacher(
  { teacher, dataset, train, validation }: Setup,
  params: Params,
  log: SetUpOptions['log'],
): Promise<Float32Array | undefined> {
  if (!teacher || hasNoLabels(params.dataset)) return undefined;
  const isKnown = !hasCachedLogits(params.teacher) || validation.split !== dataset.test;
  const { split, indices } = validation;
  const logits = isKnown && hasLogits(teacher) ? await predictLogits(teacher, split, indices, dataset) : undefined;
  await reportAgreement(
    params,
    teacher,
    dataset,
    { validation, train: { split: dataset.train, indices: train }, logits },
    log,
  );
  return logits;
}

/** What methods find inside of a network, by name, with the shapes for one image. */
function outputsInWords(model: Model): string {
  const all = [...outputShapes(model)].filter(([name]) => !name.endsWith('.preact'));
  const shapes = all.map(([name, shape]) => `${name} [${shape.join(', ')}]`);
  return `methods find ${shapes.join(', ')}`;
}
