/** Custom methods: modules that params.json names by path, such as "./my_distiller.ts". */
import { UserError } from '../../utils/errors';
import { defaultExport } from '../../utils/own_module';
import type { Distiller } from '../distillers/index';

/** The default export of a module with defaults: no options, needs a teacher. */
export function loadMethod(path: string): Distiller {
  const method = defaultExport(path, 'method', 'a method') as Partial<Distiller> | undefined;
  if (typeof method?.losses !== 'function' && typeof method?.phases !== 'function') {
    throw new UserError(`${path}: the default export must be a method: an object with a function "losses"`);
  }
  return { title: path, options: {}, needsTeacher: true, ...method };
}
