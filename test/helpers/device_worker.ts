/**
 * Runs all cases on a device and writes what they come to into a file, in a process of its own: a driver may need its
 * environment, print to its liking, or crash.
 *
 *   node -r ts-node/register test/helpers/device_worker.ts DEVICE FILE
 */
import { openDevice } from '../../engine/backends';
import type { NamedArrays } from '../../formats/ndarray';
import { writeSafetensors } from '../../formats/safetensors';
import type { Device } from '../../utils/devices';
import { messageOf } from '../../utils/errors';
import { operatorCases, resultsOf, trainingCases } from './device_cases';

async function main(): Promise<void> {
  const [device, file] = process.argv.slice(2) as [Device, string];
  const { backend } = await openDevice(device);
  const found: NamedArrays = new Map();
  const failures: Record<string, string> = {};
  for (const [name, one] of Object.entries({ ...operatorCases, ...trainingCases })) {
    try {
      for (const [key, array] of await resultsOf(one, backend)) found.set(`${name}|${key}`, array);
    } catch (error) {
      failures[name] = messageOf(error);
    }
  }
  writeSafetensors(file, found, failures);
}

void main();
