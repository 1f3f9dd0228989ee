/**
 * Which build of TensorFlow.js runs: with TensorFlow's library for GPUs, with that for CPUs, or in JavaScript alone.
 * Nothing else needs any of them, so they are loaded when they are asked for.
 */
import util from 'node:util';
import type * as tensorflow from '@tensorflow/tfjs';
import { messageOf, UserError } from '../../../utils/errors';

export type Tf = typeof tensorflow;
export type Tensor = tensorflow.Tensor;

export interface Package {
  readonly tf: Tf;
  /** Which it is, and on what it runs. */
  readonly description: string;
  readonly warning?: string;
}

const GPU = '@tensorflow/tfjs-node-gpu';
const NATIVE = [GPU, '@tensorflow/tfjs-node'];
const JAVASCRIPT = '@tensorflow/tfjs';

/**
 * What TensorFlow's library is to read from the environment unless it says otherwise: no chatter, sums that are always
 * taken in the same order, and products of float32 that are not rounded to 10 bits on the way.
 */
const ENVIRONMENT = {
  TF_CPP_MIN_LOG_LEVEL: '2',
  TF_DETERMINISTIC_OPS: '1',
  TF_CUDNN_DETERMINISTIC: '1',
  NVIDIA_TF32_OVERRIDE: '0',
};

/** What tfjs-node 4 calls of Node's `util` that Node has no more from version 23 on. */
const DROPPED = { isNullOrUndefined: (value: unknown) => value === undefined || value === null };

/** Loads the first build that is there, by `load`. A UserError says what is to be done where there is none. */
export async function loadPackage(load: (name: string) => unknown = require): Promise<Package> {
  for (const [name, value] of Object.entries(ENVIRONMENT)) process.env[name] ??= value;
  for (const [name, value] of Object.entries(DROPPED)) if (!(name in util)) Object.assign(util, { [name]: value });
  const faults: string[] = [];
  for (const name of [...NATIVE, JAVASCRIPT]) {
    try {
      const tf = load(name) as Tf;
      tf.enableProdMode();
      if (name === JAVASCRIPT) await tf.setBackend('cpu');
      await tf.ready();
      return { tf, ...described(tf, name, faults) };
    } catch (error) {
      if (!isAbsent(error)) faults.push(`; ${name} is installed but: ${messageOf(error).trim().split('\n')[0]}`);
    }
  }
  throw new UserError(
    `"device": "tensorflow" needs TensorFlow.js, which is not installed: run "npm install --include=optional", ` +
      `and "npm run setup:tensorflow" for its native build${faults.join('')}`,
  );
}

function described(tf: Tf, name: string, faults: readonly string[]): Omit<Package, 'tf'> {
  const version = `TensorFlow.js ${tf.version.tfjs}`;
  if (name === JAVASCRIPT) {
    return {
      description: `${version} in JavaScript alone`,
      warning:
        `TensorFlow.js runs in JavaScript alone, which is slow: ` +
        `"npm run setup:tensorflow" brings its native build${faults.join('')}`,
    };
  }
  const { isUsingGpuDevice } = tf.backend() as { isUsingGpuDevice?: boolean };
  return {
    description: `${version} (${name}) on the ${isUsingGpuDevice ? 'GPU' : 'CPU'}`,
    ...(name === GPU && !isUsingGpuDevice && { warning: `${name} finds no GPU that it can use, and runs on the CPU` }),
  };
}

/** Is a package not there, or there without the library that its setup brings? */
function isAbsent(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'MODULE_NOT_FOUND' || /native addon module .* can not be found/.test(messageOf(error));
}
