/** The long form of params.json: an object for what may be given by its name alone. */
import { augmentations } from '../../data/augmentation/index';
import { datasets } from '../../data/index';
import type { Distiller } from '../../distillers/index';
import { isNetPath, nets } from '../../nets/index';
import { trackers } from '../trackers';
import { entryOf } from './forms';

type File = Readonly<Record<string, unknown>>;

export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** The file with those keys in their long form, and the method where none is given. */
export function longForm(file: File, methods: Readonly<Record<string, Distiller>>): Record<string, unknown> {
  const { dataset, teacher, augmentation, trackers: chosen, method = isDistilled(file) ? 'kd' : 'nokd' } = file;
  return {
    ...file,
    ...(dataset !== undefined && { dataset: lengthened('name', datasets)(dataset) }),
    ...(teacher !== undefined && { teacher: each(teacher, lengthened('model', nets)) }),
    ...(Array.isArray(chosen) && { trackers: chosen.map(lengthened('name', trackers)) }),
    ...(Array.isArray(augmentation) && { augmentation: augmentation.map(lengthened('name', augmentations)) }),
    method: each(method, lengthened('name', methods)),
  };
}

/** A network in a file is distilled where there is a teacher. */
function isDistilled({ model_version: version, teacher = 'none' }: File): boolean {
  if (typeof version !== 'string') return false;
  return isNetPath(version) ? teacher !== 'none' : version.includes('distill');
}

function each(value: unknown, change: (one: unknown) => unknown): unknown {
  return Array.isArray(value) ? value.map(change) : change(value);
}

/** A known name becomes an object that has it under `key`. */
function lengthened(key: string, entries: Readonly<Record<string, unknown>>): (value: unknown) => unknown {
  return (value) => {
    return entryOf(entries, value) === undefined ? value : { [key]: value };
  };
}
