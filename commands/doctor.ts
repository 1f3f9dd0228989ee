/** What this machine has: versions, processor, memory, disk, and which devices start. */
import { existsSync, statfsSync } from 'node:fs';
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { version as onnxruntime } from 'onnxruntime-node/package.json';
import { openDevice } from '../engine/backends';
import { parseArguments } from '../utils/cli';
import { DEVICES } from '../utils/devices';
import { messageOf } from '../utils/errors';
import { availableBytes, gigabytes } from '../utils/memory';
import { packageVersion } from '../utils/version';

const command = {
  name: 'doctor',
  summary: 'Prints versions, processor, memory and disk, which devices start, and what is missing for the others.',
  flags: {},
} as const;

/** Prints one line for each. No device that is missing is an error. */
export async function doctor(args: readonly string[]): Promise<void> {
  parseArguments(args, command);
  const { bavail, bsize } = statfsSync('.');
  const say = (name: string, value: string) => process.stdout.write(`${name.padEnd(12)} ${value}\n`);
  say('distillery', packageVersion);
  say('Node.js', `${process.versions.node}, ${process.execPath}`);
  say('ONNX Runtime', onnxruntime);
  say('system', `${type()} ${release()} ${arch()}${existsSync('/.dockerenv') ? ', in a container' : ''}`);
  say('processor', `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} threads`);
  say('memory', `${gigabytes(availableBytes())} free of ${gigabytes(totalmem())}`);
  say('disk', `${gigabytes(bavail * bsize)} free here`);
  process.stdout.write('\ndevices\n');
  for (const device of DEVICES) say(`  ${device}`, await stateOf(device));
}

/** What a device runs on, or what is missing. */
async function stateOf(device: (typeof DEVICES)[number]): Promise<string> {
  try {
    const { description, warning } = await openDevice(device);
    return `yes: ${description}${warning === undefined ? '' : `; ${warning}`}`;
  } catch (error) {
    return `no: ${messageOf(error)
      .split('\n')[0]!
      .replace(/^"device": "\w+" /, '')}`;
  }
}
