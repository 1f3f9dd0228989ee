/**
 * Which build of TensorFlow.js runs: with TensorFlow's library for GPUs, with that for CPUs, or in JavaScript alone. They are
 * optional dependencies, loaded only on demand.
 */
import util from 'node:util';
import type * as tensorflow from '@tensorflow/tfjs';
import { setup } from '../../../utils/commands';
import { messageOf, UserError } from '../../../utils/errors';

/** The module that any build of TensorFlow.js exports. */
export type Tf = typeof tensorflow;
/** A tensor of TensorFlow.js. */
export type Tensor = tensorflow.Tensor;

/** A build that was loaded. */
export interface Package {
  readonly tf: Tf;
  /** Its version, and what it runs on. */
  readonly description: string;
  /** Why it is slower than could be, if it is. */
  readonly warning?: string;
}

const GPU = '@tensorflow/tfjs-node-gpu';
const NATIVE = [GPU, '@tensorflow/tfjs-node'];
const JAVASCRIPT = '@tensorflow/tfjs';

/**
 * Defaults of environment variables for TensorFlow's library: no log, deterministic sums, and float32 products whose factors
 * are not rounded to 10 bits (TF32).
 */
const ENVIRONMENT = {
  TF_CPP_MIN_LOG_LEVEL: '2',
  TF_DETERMINISTIC_OPS: '1',
  TF_CUDNN_DETERMINISTIC: '1',
  NVIDIA_TF32_OVERRIDE: '0',
};

/** Functions of Node's `util` that tfjs-node 4 calls and that Node 23 has dropped. */
const DROPPED = { isNullOrUndefined: (value: unknown) => value === undefined || value === null };

/** Loads the first build that is installed, by `load`. Rejects with a UserError that says how to install one. */
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
    `"device": "tensorflow" needs TensorFlow.js, which is not installed: run "${setup.tensorflow}", ` +
      `and "${setup.nativeTensorflow}" for its native build${faults.join('')}`,
  );
}

function described(tf: Tf, name: string, faults: readonly string[]): Omit<Package, 'tf'> {
  const version = `TensorFlow.js ${tf.version.tfjs}`;
  if (name === JAVASCRIPT) {
    return {
      description: `${version} in pure JavaScript`,
      warning:
        `TensorFlow.js runs in pure JavaScript, which is slow: ` +
        `run "${setup.nativeTensorflow}" to install its native build${faults.join('')}`,
    };
  }
  const { isUsingGpuDevice } = tf.backend() as { isUsingGpuDevice?: boolean };
  return {
    description: `${version} (${name}) on the ${isUsingGpuDevice ? 'GPU' : 'CPU'}`,
    ...(name === GPU && !isUsingGpuDevice && { warning: `${name} finds no usable GPU and runs on the CPU` }),
  };
}

/** Whether a package is not installed, or lacks the library that its setup downloads. */
function isAbsent(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'MODULE_NOT_FOUND' || /native addon module .* can not be found/.test(messageOf(error));
}
