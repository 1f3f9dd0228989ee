/** Keys of params.json that have no effect on a run, usually a mistake. */
import { optimizers } from '../../engine/optimizers/index';
import { datasets } from '../data/index';
import { isNetPath } from '../nets/index';
import { evaluationGraph, outputShapes, type Model } from '../nets/model';
import { netKeys } from '../nets/net_params';
import { phasesOf, StepBuilder } from '../training/step_graph';
import { methodsOf, needsTeacher, studentOf } from './experiment';
import type { Params } from './params';
import { optimizerOf } from './training_config';

type Given = Readonly<Record<string, unknown>>;

/** Options of any optimizer. */
const optimizerKeys = Object.values(optimizers).flatMap(({ options }) => Object.keys(options));
const methodKeys = ['alpha', 'temperature', 'kl_reduction'];
const teacherKeys = ['teacher', 'teacher_views', 'teacher_cache_gigabytes', 'teacher_precision', 'teacher_agreement'];
/** Values for "no teacher". */
const withoutTeacher: Given = { teacher: 'none', alpha: 0, temperature: 1 };

/**
 * The keys of `given` that the run does not read, in order. Builds student and losses, which record the keys that they
 * read; `student` may be one on small images if the data set is not available. Keys that mean "no teacher" are omitted
 * if there is none.
 */
export function unusedKeys(given: Given, params: Params, student = onSmallImages(params)): string[] {
  const isTaught = needsTeacher(params);
  // A large student takes a while to build: only where one of its keys is given.
  const isGiven = (keys: readonly string[]) => keys.some((key) => Object.hasOwn(given, key));
  const unused = new Set([
    ...(datasets[params.dataset.name].directory === undefined ? ['data_dir'] : []),
    ...(isTaught ? [] : teacherKeys),
    ...optimizerKeys.filter((key) => !Object.hasOwn(optimizers[params.optimizer]!.options, key)),
    ...(isNetPath(params.model_version) ? Object.values(netKeys) : []),
    ...(isGiven(Object.values(netKeys)) && !isNetPath(params.model_version)
      ? unread(netKeys, student.options, (options) => evaluationGraph({ ...student, options }))
      : []),
    ...(isGiven(methodKeys) ? notAsked(params, student) : []),
  ]);
  const saysNone = (key: string) => !isTaught && given[key] === withoutTeacher[key];
  return Object.keys(given).filter((key) => unused.has(key) && !saysNone(key));
}

/** A line about the unused keys; undefined if there are none. */
export function unusedInWords(keys: readonly string[], params: Params): string | undefined {
  if (keys.length === 0) return undefined;
  const names = keys.map((key) => JSON.stringify(key));
  const list = names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names[0]!;
  const line = `params.json gives ${list}, which this run does not use`;
  const { model_version: version } = params;
  const isMeantForTeacher = ['teacher', 'alpha', 'temperature'].some((key) => keys.includes(key));
  if (!isMeantForTeacher || needsTeacher(params)) return line;
  const distilled = isNetPath(version) ? '' : `set "model_version" to "${version}_distill" or `;
  return `${line}; to train with a teacher, ${distilled}choose a "method"`;
}

/** The keys for those properties of an object that `use` does not read. */
function unread<T extends object>(
  keys: Readonly<Record<string, string>>,
  values: T,
  use: (values: T) => void,
): string[] {
  const read = new Set<string | symbol>();
  use(
    new Proxy(values, {
      get: (target, name) => {
        read.add(name);
        return Reflect.get(target, name) as unknown;
      },
    }),
  );
  return Object.entries(keys).flatMap(([name, key]) => (read.has(name) ? [] : [key]));
}

/** The keys for methods that the losses of this run do not read; none if the losses cannot be built. */
function notAsked(params: Params, student: Model): string[] {
  const methods = methodsOf(params);
  const asked = new Set<string>();
  try {
    const shapes = outputShapes(student);
    for (const phase of phasesOf(methods)) {
      const step = new StepBuilder(student, {
        batchSize: 2,
        seed: 0,
        methods,
        teacher: { shapes, members: [{ shapes }, { shapes }] },
        examples: 100_000,
        optimizer: optimizerOf(params),
        alpha: params.alpha,
        temperature: params.temperature,
        klReduction: params.kl_reduction,
      });
      step.losses(phase);
      for (const key of step.asked) asked.add(key);
    }
  } catch {
    return [];
  }
  return methodKeys.filter((key) => !asked.has(key));
}

function onSmallImages(params: Params): Model {
  const classes = Array.from({ length: 10 }, String);
  const normalize = { mean: [0, 0, 0], std: [1, 1, 1] };
  return studentOf({ ...params, normalize }, { name: 'small images', classes, normalize, shape: [3, 32, 32] });
}
