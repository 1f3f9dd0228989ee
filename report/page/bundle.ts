/** The scripts of the page: Vega and Vega-Lite as they are published, and the page's own files as one script. */
import { readFileSync } from 'node:fs';
import { dirname, extname, join, relative, sep } from 'node:path';
import { transformSync } from '@swc/core';

/** What own files import from packages, as an expression of the page. Others are taken in as files. */
const globals: Readonly<Record<string, string>> = {
  vega: 'globalThis.vega',
  'vega-util': 'globalThis.vega',
  'vega-lite': 'globalThis.vegaLite',
};

/** All scripts of the page, in the order in which they run. */
export function pageScripts(): string[] {
  const published = [
    ['vega', 'vega.min.js'],
    ['vega-lite', 'vega-lite.min.js'],
  ] as const;
  return [
    ...published.map(([name, file]) => readFileSync(join(dirname(require.resolve(name)), file), 'utf8')),
    bundle(join(__dirname, 'browser', `main${extname(__filename)}`)),
  ];
}

/** A file with all that it imports as one script: each becomes a function, of which `require` calls those that it needs. */
export function bundle(entry: string): string {
  const root = dirname(__dirname);
  const idOf = (path: string) => JSON.stringify(relative(root, path).split(sep).join('/'));
  const modules = new Map<string, string>();
  const visit = (path: string) => {
    if (modules.has(path)) return;
    modules.set(path, '');
    const { code } = transformSync(readFileSync(path, 'utf8'), {
      filename: path,
      swcrc: false,
      jsc: { parser: { syntax: path.endsWith('.ts') ? 'typescript' : 'ecmascript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    const linked = code.replace(/\brequire\("([^"]+)"\)/g, (_, name: string) => {
      if (Object.hasOwn(globals, name)) return globals[name]!;
      const target = name.startsWith('.') ? `${join(dirname(path), name)}${extname(path)}` : require.resolve(name);
      visit(target);
      return `require(${idOf(target)})`;
    });
    modules.set(path, linked.replace(/^\/\/# sourceMappingURL=.*$/m, ''));
  };
  visit(entry);
  const functions = [...modules].map(([path, code]) => `${idOf(path)}: (exports, require) => {\n${code}\n}`);
  return `(() => {
const modules = {
${functions.join(',\n')}
};
const loaded = {};
const require = (id) => {
  if (!(id in loaded)) modules[id]((loaded[id] = {}), require);
  return loaded[id];
};
require(${idOf(entry)});
})();`;
}
