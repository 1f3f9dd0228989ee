/** Modules of one's own, which params.json names by path, such as "./my_distiller.ts" or "./my_net.ts". */
import { resolve } from 'node:path';
import { messageOf, UserError } from './errors';
import { isFile, isThere } from './files';
import { loadModule } from './module_loader';

type ModulePath = `${string}.${'' | 'c' | 'm'}${'js' | 'ts'}`;

/** Whether this is the path of a module rather than a name. Paths are relative to the working directory. */
export function isModulePath(name: unknown): name is ModulePath {
  return typeof name === 'string' && /\.[cm]?[jt]s$/.test(name);
}

/** The default export of a module. Throws a UserError that names `key` of params.json and says that it is no `kind`. */
export function defaultExport(path: string, key: string, kind: string): unknown {
  const file = resolve(path);
  if (!isThere(file)) throw new UserError(`${path}: no such file; "${key}" names it`);
  if (!isFile(file)) throw new UserError(`${path}: not a regular file; "${key}" names it`);
  try {
    return (loadModule(file) as { default?: unknown }).default;
  } catch (error) {
    throw new UserError(`${path}: cannot be loaded as ${kind}: ${messageOf(error).split('\n')[0]}`);
  }
}
