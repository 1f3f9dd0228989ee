/**
 * Modules of the user's own, by path: TypeScript or JavaScript, with ES module or CommonJS syntax, whatever the package.json
 * beside them says. Each is compiled to CommonJS (swc), so that all versions of Node and ts-node load it alike.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { compileFunction } from 'node:vm';
import { transformSync } from '@swc/core';
import { name as packageName } from '../package.json';
import { messageOf } from './errors';
import { isFile } from './files';

interface Module {
  exports: unknown;
}

const root = join(__dirname, '..');
const loaded = new Map<string, Module>();

/** The extensions of modules that are compiled; Node loads others itself. */
const compiled = ['.ts', '.mts', '.cts', '.js', '.mjs'];

/** The exports of the module at `path`. Its import of this package gets the one that is running. */
export function loadModule(path: string): unknown {
  const file = resolve(path);
  if (!compiled.includes(extname(file))) return createRequire(file)(file);
  // What a program has imported itself is the same module here.
  const imported = require.cache[file];
  if (imported?.loaded) return imported.exports;
  const known = loaded.get(file);
  if (known) return known.exports;
  const module: Module = { exports: {} };
  loaded.set(file, module);
  try {
    const run = compileFunction(compile(file), ['exports', 'require', 'module', '__filename', '__dirname'], {
      filename: file,
    }) as (...values: unknown[]) => void;
    run(module.exports, requireFrom(file), module, file, dirname(file));
  } catch (error) {
    loaded.delete(file);
    throw error;
  }
  return module.exports;
}

function compile(file: string): string {
  const syntax = /\.[cm]?ts$/.test(file) ? 'typescript' : 'ecmascript';
  try {
    const { code } = transformSync(readFileSync(file, 'utf8'), {
      filename: file,
      swcrc: false,
      sourceMaps: 'inline',
      jsc: { parser: { syntax }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    return code;
  } catch (error) {
    throw new SyntaxError(mistakeIn(messageOf(error)));
  }
}

/** What swc's message says, on one line, without its drawing of the source. */
function mistakeIn(message: string): string {
  const lines = message.split('\n').map((line) => line.trim());
  const what = lines.find((line) => /^[x×] /.test(line))?.slice(2);
  const line = lines.map((one) => /\[.*:(\d+):\d+\]$/.exec(one)?.[1]).find((one) => one !== undefined);
  return `${what ?? message.split('\n')[0]!}${line === undefined ? '' : `, in line ${line}`}`;
}

/** What `require` is in a module: its relative imports outside of this project are modules of the user's own, too. */
function requireFrom(file: string): (name: string) => unknown {
  const require: (name: string) => unknown = createRequire(file);
  const own: (name: string) => unknown = createRequire(__filename);
  return (name) => {
    if (name === packageName) return own('../index');
    if (!/^\.{1,2}\//.test(name)) return require(name);
    const target = fileFor(join(dirname(file), name));
    return target === undefined || isInProject(target) ? require(name) : loadModule(target);
  };
}

/** The file that an import means: as written, as the source of the JavaScript that it names, or without its extension. */
function fileFor(path: string): string | undefined {
  const source = path.replace(/\.([cm]?)js$/, '.$1ts');
  return [
    path,
    source,
    ...compiled.map((extension) => path + extension),
    ...compiled.map((extension) => join(path, `index${extension}`)),
  ].find(isFile);
}

function isInProject(file: string): boolean {
  const path = relative(root, file);
  return !path.startsWith('..') && !isAbsolute(path) && !path.split(/[\\/]/).includes('node_modules');
}
