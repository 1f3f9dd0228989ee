/** The devices that a graph can run on, by their names in params.json and `--device`. */
import { oneOf } from './cli';

export const DEVICES = ['auto', 'cpu', 'webgpu', 'dml', 'coreml', 'cuda', 'tensorflow'] as const;

export type Device = (typeof DEVICES)[number];

/** The number format of the matrix products and convolutions of a step. */
export const PRECISIONS = ['float32', 'float16'] as const;

export type Precision = (typeof PRECISIONS)[number];

/** The `--device` flag, which overrides params.json. */
export const deviceFlag = {
  type: 'string',
  help: `device to run on, overrides "device" in params.json: ${DEVICES.join(', ')}`,
} as const;

/** The value of `--device`, if given. Throws a UserError with exit code 2 that lists the accepted names. */
export function flaggedDevice(value: string | undefined): Device | undefined {
  return value === undefined ? undefined : oneOf('device', value, DEVICES);
}
