/** The names of a search's child directories. */
import { createHash } from 'node:crypto';
import { formatPythonFloat } from '../../formats/numpy_text';
import { canonical, type Json } from '../json';
import type { Point } from '../space/space';

/** How children are named. */
export const namings = ['plain', 'classic'] as const;
export type Naming = (typeof namings)[number];

const LONGEST = 100;

/**
 * The directory of a point, safe in every file system and different for different points:
 * `alpha_0.5_temperature_4`. Where a value cannot be written as it is (a path, an object, text that reads as a number,
 * capitals, which some systems take for small letters) or the name is too long, it ends in a hash of the point.
 *
 * The classic names are those of the published grids: `alpha_0.5_Temp_4.0`, numbers as Python prints floats.
 */
export function trialName(point: Point, naming: Naming = 'plain'): string {
  const parts = Object.entries(point).map(([path, value]) => `${keyText(path, naming)}_${valueText(value, naming)}`);
  const name = parts.join('_');
  if (name.length <= LONGEST && Object.values(point).every(isPlain)) return name;
  const hash = createHash('sha256').update(canonical(point)).digest('hex').slice(0, 8);
  return `${name.slice(0, LONGEST - hash.length - 1)}-${hash}`;
}

function keyText(path: string, naming: Naming): string {
  return naming === 'classic' && path === 'temperature' ? 'Temp' : path;
}

function valueText(value: Json, naming: Naming): string {
  if (typeof value === 'number') return naming === 'classic' ? formatPythonFloat(value) : String(value);
  const text = typeof value === 'string' ? value : canonical(value);
  return text.replaceAll(/[^A-Za-z0-9._+-]+/g, '-').replaceAll(/^-|-$/g, '');
}

/** Whether the text of a value tells it from every other value. */
function isPlain(value: Json): boolean {
  if (typeof value !== 'string') return typeof value !== 'object' || value === null;
  return /^[a-z][a-z0-9]*([._-][a-z0-9]+)*$/.test(value) && !['true', 'false', 'null'].includes(value);
}
