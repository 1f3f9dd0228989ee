/** Modules of the user's own, in projects of both kinds: as TypeScript and JavaScript, with imports of every sort. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { kdLoss } from '../../index';
import { loadModule } from '../../utils/module_loader';

describe('loadModule', () => {
  let scratch: string;
  let project: string;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'own-'));
    project = join(scratch, 'project');
    mkdirSync(project);
  });
  afterEach(() => rmSync(scratch, { recursive: true }));

  const write = (name: string, text: string): string => {
    const path = join(project, name);
    writeFileSync(path, text);
    return path;
  };
  const load = (name: string, text: string) => loadModule(write(name, text)) as Record<string, unknown>;

  for (const type of ['module', 'commonjs', undefined]) {
    for (const extension of ['.ts', '.mts', '.js', '.mjs']) {
      it(`loads ES module syntax in ${extension} where package.json has ${type ?? 'no type'}`, () => {
        write('package.json', JSON.stringify({ type }));
        const isTyped = extension.endsWith('ts');
        write(`half${extension}`, `export const half = (x${isTyped ? ': number' : ''}) => x / 2;\n`);
        const own = load(
          `own${extension}`,
          `import { readFileSync } from 'node:fs';
import { kdLoss } from 'distillery';
import { half } from './half.${extension === '.mjs' || extension === '.mts' ? 'mjs' : 'js'}';
const value${isTyped ? ': number' : ''} = half(8);
export default { value, kdLoss, isRead: readFileSync(import.meta.filename, 'utf8').includes('isRead') };
export const url = import.meta.url;
`,
        );
        expect(own.default).to.deep.equal({ value: 4, kdLoss, isRead: true });
        expect(own.url).to.equal(pathToFileURL(join(project, `own${extension}`)).href);
      });
    }
  }

  it('loads CommonJS, and an import without an extension', () => {
    write('package.json', '{}');
    write('helper.ts', 'export const three: number = 3;\n');
    expect(load('own.js', "exports.default = require('./helper').three;\n")).to.include({ default: 3 });
    expect(load('own.cjs', 'module.exports = { default: 4 };\n')).to.deep.equal({ default: 4 });
  });

  it('loads packages of the project that are ES modules', () => {
    mkdirSync(join(project, 'node_modules', 'five'), { recursive: true });
    write('node_modules/five/package.json', '{ "name": "five", "type": "module", "exports": "./index.js" }');
    write('node_modules/five/index.js', 'export default 5;\nexport const six = 6;\n');
    const own = load('own.mts', "import five, { six } from 'five';\nexport default [five, six];\n");
    expect(own.default).to.deep.equal([5, 6]);
  });

  it('loads a module once, and again after it failed', () => {
    const path = write('own.ts', 'export default {};\n');
    expect(loadModule(path)).to.equal(loadModule(path));
    const failing = write('failing.ts', "throw new Error('not now');\n");
    expect(() => loadModule(failing)).to.throw(Error, /^not now$/);
    expect(load('failing.ts', 'export default 1;\n').default).to.equal(1);
  });

  it('is the module that the program has imported itself', () => {
    const path = write('own.js', 'exports.default = { state: [] };\n');
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- as a program of CommonJS does
    const imported: unknown = require(path);
    expect(loadModule(path)).to.equal(imported);
  });

  it('says in one line where the syntax is wrong', () => {
    const path = write('own.ts', 'export const a = 1;\nexport default { losses( };\n');
    expect(() => loadModule(path)).to.throw(SyntaxError, /^[^\n]+, in line 2$/);
  });
});
