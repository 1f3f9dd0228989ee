/** The pairs of student and teacher feature maps to compare, and how to match their sizes. */
import { adaptiveAvgPool } from '../../engine/ops';
import { formatShape, type Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import type { Schema } from '../../utils/schema';
import type { FeatureMaps } from '../nets/feature_maps';
import type { DistillContext } from './distiller';

export interface LayerOptions {
  /** Names of a student's and a teacher's output; the last stages that both have by default. */
  readonly layers?: readonly (readonly [student: string, teacher: string])[];
}

export const layerOptions: Readonly<Record<string, Schema>> = {
  layers: {
    type: 'array',
    minItems: 1,
    items: { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 2 },
    description: 'a list of pairs such as [["stage2", "stage3"]], the student\'s output first',
    title: 'outputs of student and teacher to compare; the last stages that both have by default',
  },
};

export interface SideOptions {
  /** Names of the student's outputs; its stages by default. */
  readonly student_layers?: readonly string[];
  /** Names of the teacher's outputs; its stages by default. */
  readonly teacher_layers?: readonly string[];
}

export const sideOptions: Readonly<Record<string, Schema>> = {
  student_layers: {
    type: 'array',
    minItems: 1,
    items: { type: 'string' },
    description: 'a list such as ["stage1", "stage2"]',
    title: 'outputs of the student; its stages by default',
  },
  teacher_layers: {
    type: 'array',
    minItems: 1,
    items: { type: 'string' },
    description: 'a list such as ["stage1", "stage2"]',
    title: 'outputs of the teacher; its stages by default',
  },
};

export type Pair = readonly [student: Tensor, teacher: Tensor];

type Suffix = '' | '.preact';
type Source = Pick<DistillContext<LayerOptions>, 'student' | 'teacher' | 'options'>;
type Sides = Pick<DistillContext<SideOptions>, 'student' | 'teacher' | 'options'>;

/**
 * The names of the pairs that the options name, or else of the stages of both counted from the last one, `most` of them
 * at most; the latter end as `suffixes` say.
 */
export function layerNames(
  { student, teacher, options }: Source,
  suffixes: readonly [student: Suffix, teacher: Suffix] = ['', ''],
  most = Infinity,
): readonly (readonly [student: string, teacher: string])[] {
  if (options.layers) return options.layers;
  const [mine, theirs] = [stages(student), stages(teacher)];
  const count = Math.min(mine.length, theirs.length, most);
  if (count === 0) throw mine.length === 0 ? withoutStages(student, 'student') : withoutStages(teacher, 'teacher');
  const last = (names: string[]) => names.slice(-count);
  return last(mine).map((name, i) => [name + suffixes[0], last(theirs)[i]! + suffixes[1]]);
}

/** The pairs of `layerNames`; `suffix` is that of both. */
export function layerPairs(setting: Source, suffix: Suffix = '', most = Infinity): Pair[] {
  const { student, teacher } = setting;
  return layerNames(setting, [suffix, suffix], most).map(([mine, theirs]) => [student.get(mine), teacher.get(theirs)]);
}

/** The outputs of student and teacher that the options name, or else those of all their stages, whatever their numbers. */
export function allMaps({ student, teacher, options }: Sides): readonly [student: Tensor[], teacher: Tensor[]] {
  const mapsOf = (owner: 'student' | 'teacher', maps: FeatureMaps) => {
    const key = `${owner}_layers` as const;
    const names = options[key] ?? stages(maps);
    if (names.length === 0) throw withoutStages(maps, owner, key);
    return names.map((name) => maps.get(name));
  };
  return [mapsOf('student', student), mapsOf('teacher', teacher)];
}

/** Two maps (N, C, H, W) at the smaller of their sizes; the larger is averaged over windows. */
export function sameSize([student, teacher]: Pair): Pair {
  const [s, t] = [sideOf(student), sideOf(teacher)];
  if (s > t) return [adaptiveAvgPool(student, t), teacher];
  return [student, s < t ? adaptiveAvgPool(teacher, s) : teacher];
}

/** The error of a method that has no adaptor, where the shapes of a pair differ; `advice` says what to choose instead. */
export function requireSameShape([student, teacher]: Pair, method: string, advice: string): void {
  if (student.shape.join() === teacher.shape.join()) return;
  throw new UserError(
    `${method}: student ${formatShape(student.shape)} and teacher ${formatShape(teacher.shape)} differ; ${advice}`,
  );
}

/** The same where only the numbers of channels must be equal. */
export function requireSameChannels([student, teacher]: Pair, method: string, advice: string): void {
  if (student.shape[1] === teacher.shape[1]) return;
  throw new UserError(
    `${method}: channels of student ${formatShape(student.shape)} and teacher ${formatShape(teacher.shape)} differ; ${advice}`,
  );
}

function sideOf(map: Tensor): number {
  const [, , height, width] = map.shape;
  if (map.shape.length !== 4 || height !== width) {
    throw new UserError(`"layers": a square map (N, C, H, W) is needed, got ${formatShape(map.shape)}`);
  }
  return height!;
}

/** The error of a network without stages, where `key` does not name its outputs. */
function withoutStages(maps: FeatureMaps, owner: 'student' | 'teacher', key = 'layers'): UserError {
  if (maps.hasOnlyLogits) return new UserError(maps.needOfMaps);
  return new UserError(`"${key}" is needed: the ${owner} has no stages, but ${maps.names.join(', ')}`);
}

/** The names of a network's stages, in their order. */
export function stages({ names }: Pick<FeatureMaps, 'names'>): string[] {
  return names.filter((name) => /^stage\d+$/.test(name));
}
