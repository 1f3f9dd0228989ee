/** Where the training of a child stands, as its checkpoints tell; those of the stages of a method count, too. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readMetadata } from '../../formats/safetensors';
import { runFiles, STAGES } from '../../runs/files';
import { parsePosition } from '../../runs/position';

/** Epochs and steps by checkpoints. */
export type Positions = ReadonlyMap<string, readonly [epoch: number, step: number]>;

export function positionsOf(directory: string): Positions {
  const folders = ['.', ...namesIn(join(directory, STAGES)).map((stage) => join(STAGES, stage))];
  const positions = new Map<string, readonly [number, number]>();
  for (const folder of folders) {
    const position = positionIn(join(directory, folder, runFiles.last));
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
    const position = parsePosition(readMetadata(path).position);
    return position && [position.epoch, position.step];
  } catch {
    return undefined;
  }
}
