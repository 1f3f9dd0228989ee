/** What a graph may run on, by the names that params.json and `--device` give. */
import { oneOf } from './cli';

export const DEVICES = ['auto', 'cpu', 'webgpu', 'dml', 'coreml', 'cuda', 'tensorflow'] as const;

export type Device = (typeof DEVICES)[number];

/** What products and convolutions of a step are computed in. */
export const PRECISIONS = ['float32', 'float16'] as const;

export type Precision = (typeof PRECISIONS)[number];

/** The flag of a script, which comes before what params.json says. */
export const deviceFlag = {
  type: 'string',
  help: `what to run on, in place of "device" in params.json: ${DEVICES.join(', ')}`,
} as const;

/** What `--device` says, where it is given. A UserError with exit code 2 names what is accepted. */
export function flaggedDevice(value: string | undefined): Device | undefined {
  return value === undefined ? undefined : oneOf('device', value, DEVICES);
}
