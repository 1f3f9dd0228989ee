/** What the keys of params.json must keep to together. */
import { isObject, show } from '../../../utils/json';
import { augmentations } from '../../data/augmentation/index';
import { datasets, hasNoLabels, isUnlabeled, type DatasetParams } from '../../data/index';
import { distillers, type Distiller } from '../../distillers/index';
import { teachers } from '../../teachers/index';
import { entryOf } from './forms';
import { listOf } from './long_form';

type File = Readonly<Record<string, unknown>>;

/** A line for each condition that a file in its long form does not keep; each key may be anything at all. */
export function brokenConditions(file: File, methods: Readonly<Record<string, Distiller>>): string[] {
  const names = listOf(file.method).flatMap((method) => (isObject(method) ? [method.name] : []));
  const known = names.filter((name): name is string => entryOf(methods, name) !== undefined);
  const twice = known.find((name, i) => known.indexOf(name) < i);
  const taught = known.find((name) => methods[name]!.needsTeacher);
  const lines = [
    file.teacher === 'none' &&
      taught !== undefined &&
      `"teacher" must name a teacher if "method" is ${show(taught)}, got "none"`,
    twice !== undefined && `"method" must name each method once, got ${show(twice)} twice`,
    taught !== undefined &&
      file.augmentation !== 'no' &&
      hasCachedTeacher(file) &&
      `"augmentation" must be "no" if "teacher" has cached logits, which do not follow a crop or a flip, got ${show(file.augmentation)}`,
    ...ofPrecision(file),
    ...ofAugmentation(file),
    ...ofTrackers(file),
    file.precision === 'float16' &&
      Number(file.accumulate ?? 1) > 1 &&
      `"accumulate" must be 1 if "precision" is "float16", got ${show(file.accumulate)}`,
    'freeze_batch_norm' in file && !('freeze' in file) && '"freeze_batch_norm" is given, but "freeze" is missing',
    ...ofUnlabeled(file, known),
    ...ofNoLabels(file, known, methods),
    ...ofViews(
      file,
      known.find((name) => methods[name]!.needsViews),
    ),
  ];
  return lines.filter((line) => line !== false);
}

/** Of a teacher on 8-bit integers. */
function ofPrecision(file: File): string[] {
  const isInt8 = file.teacher_precision === 'int8';
  return [
    ...(isInt8 && hasCachedTeacher(file)
      ? ['"teacher_precision" must be "float32" if "teacher" has cached logits, got "int8"']
      : []),
    ...('teacher_agreement' in file && !isInt8
      ? ['"teacher_agreement" is given, but "teacher_precision" is not "int8"']
      : []),
  ];
}

function hasCachedTeacher({ teacher }: File): boolean {
  const isCached = (one: Record<string, unknown>) =>
    Object.entries(teachers).some(([key, entry]) => entry.isCached && key in one);
  return listOf(teacher).filter(isObject).some(isCached);
}

/** Of a list of augmentations as a whole. */
function ofAugmentation(file: File): string[] {
  const names = listOf(file.augmentation).map((one) => (isObject(one) ? one.name : one));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) return [`"augmentation" must name each augmentation once, got ${show(twice)} twice`];
  const mixed = mixing(file);
  if (mixed.length < 2) return [];
  return [`"augmentation" must have at most one augmentation that mixes images, got ${mixed.map(show).join(' and ')}`];
}

function ofTrackers({ trackers }: File): string[] {
  const names = listOf(trackers).map((one) => (isObject(one) ? one.name : one));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  return twice === undefined ? [] : [`"trackers" must name each tracker once, got ${show(twice)} twice`];
}

/** Names of the augmentations that mix images. */
function mixing({ augmentation }: File): string[] {
  const names = listOf(augmentation).flatMap((one) => (isObject(one) ? [one.name] : []));
  return names.filter((name): name is string => entryOf(augmentations, name)?.mix !== undefined);
}

/** Methods for images whose labels mean nothing. */
const WITHOUT_LABELS = ['unlabeled', 'embedding'];

/** Of training images whose labels mean nothing, beside others that have labels. */
function ofUnlabeled({ dataset, validation }: File, methods: readonly string[]): string[] {
  if (!isKnown(dataset) || !isUnlabeled(dataset) || hasNoLabels(dataset)) return [];
  const labeled = methods.find((name) => !WITHOUT_LABELS.includes(name));
  return [
    ...(labeled === undefined
      ? []
      : [
          `"method" must be one of ${WITHOUT_LABELS.map(show).join(', ')} if "dataset.train" is "unlabeled", got ${show(labeled)}`,
        ]),
    ...(typeof validation === 'string'
      ? []
      : ['"validation" must be "val" or "test" if "dataset.train" is "unlabeled"']),
  ];
}

/** Of images none of which has a label. */
function ofNoLabels(file: File, known: readonly string[], methods: Readonly<Record<string, Distiller>>): string[] {
  const { dataset, schedule } = file;
  if (!isKnown(dataset) || !hasNoLabels(dataset)) return [];
  const accepted = Object.keys(distillers).filter((name) => distillers[name]!.trainsVectors);
  const wrong = (key: string, must: string, got: unknown) =>
    `"${key}" must be ${must} if "dataset.labels" is false, got ${show(got)}`;
  const labeled = known.find((name) => !methods[name]!.trainsVectors);
  const without = (key: string, neutral: unknown, must = `absent or ${show(neutral)}`) =>
    file[key] === undefined || file[key] === neutral ? [] : [wrong(key, must, file[key])];
  return [
    ...(labeled === undefined
      ? []
      : [wrong('method', `a method without labels (${accepted.map(show).join(', ')})`, labeled)]),
    ...without('class_weights', undefined, 'absent'),
    ...without('sampling', 'shuffled'),
    ...without('label_noise', 0),
    ...without('label_smoothing', 0),
    ...(isObject(schedule) && schedule.metric === 'accuracy' ? [wrong('schedule.metric', '"loss"', 'accuracy')] : []),
  ];
}

/** Whether it is a data set that exists. */
function isKnown(dataset: unknown): dataset is DatasetParams {
  return isObject(dataset) && entryOf<unknown>(datasets, dataset.name) !== undefined;
}

/** Of the method `viewing`, which shows student and teacher further views of the images, if there is one. */
function ofViews(file: File, viewing: string | undefined): string[] {
  if (viewing === undefined) return [];
  const is = `if "method" is ${show(viewing)}`;
  return [
    ...(mixing(file).length > 0 ? [`"augmentation" must not mix images ${is}: its views show one image each`] : []),
    ...(hasCachedTeacher(file) ? [`"teacher" must not have cached logits ${is}, which shows it other views`] : []),
  ];
}
