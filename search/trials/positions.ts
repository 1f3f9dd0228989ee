/** Where the training of a child stands, as its checkpoints tell; those of the stages of a method count, too. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isObject } from '../../utils/json';
import { readMetadata } from '../../formats/safetensors';

/** Epochs and steps by checkpoints. */
export type Positions = ReadonlyMap<string, readonly [epoch: number, step: number]>;

export function positionsOf(directory: string): Positions {
  const folders = ['.', ...namesIn(join(directory, 'stages')).map((stage) => join('stages', stage))];
  const positions = new Map<string, readonly [number, number]>();
  for (const folder of folders) {
    const position = positionIn(join(directory, folder, 'last.safetensors'));
    if (position) positions.set(folder, position);
  }
  return positions;
}

/** Whether training has come further: a killed job starts again where its last checkpoint is. */
export function hasAdvanced(before: Positions, after: Positions): boolean {
  return [...after].some(([folder, [epoch, step]]) => {
    const [oldEpoch, oldStep] = before.get(folder) ?? [0, 0];
    return epoch > oldEpoch || (epoch === oldEpoch && step > oldStep);
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Undefined where there is no checkpoint, or none that can be read: training will say what is wrong with it. */
function positionIn(path: string): readonly [number, number] | undefined {
  try {
    const position: unknown = JSON.parse(readMetadata(path).position ?? '');
    if (!isObject(position)) return undefined;
    const { epoch, step } = position;
    return typeof epoch === 'number' && typeof step === 'number' ? [epoch, step] : undefined;
  } catch {
    return undefined;
  }
}
