/**
 * Tests engine/, model/, search/, report/, runs/, formats/ and utils/. The rules of the house: which room may import which, and
 * that what the indexes list can be named in params.json.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { expect } from 'chai';
import ts, { preProcessFile } from 'typescript';
import { datasetNames, datasets } from '../model/data';
import { distillers } from '../model/distillers';
import { netOf, parseParams } from '../model/experiment/params';
import { nets } from '../model/nets';
import { runFiles, searchFiles } from '../runs/files';

const root = join(__dirname, '..');

/** What each room may import besides itself and packages. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  utils: ['package.json'],
  formats: ['utils'],
  runs: ['formats', 'utils'],
  engine: ['formats', 'utils'],
  model: ['engine', 'runs', 'formats', 'utils'],
  search: ['runs', 'formats', 'utils'],
  report: ['runs', 'formats', 'utils'],
  commands: ['model', 'engine', 'report', 'runs', 'formats', 'utils'],
};

/** What each room of model/ may import of the others at run time: types make no circle, and go either way. */
const within: Readonly<Record<string, readonly string[]>> = {
  data: [],
  nets: ['data'],
  distillers: ['data', 'nets'],
  evaluation: ['data', 'nets'],
  teachers: ['data', 'nets', 'distillers', 'evaluation'],
  training: ['data', 'nets', 'distillers', 'evaluation', 'teachers'],
  experiment: ['data', 'nets', 'distillers', 'evaluation', 'teachers', 'training'],
};

/** Specifiers of a file that are there when it runs. */
function specifiersOf(text: string, isRunning: boolean): string[] {
  const seen = isRunning ? text.replace(/^import type [^;]*;/gm, '') : text;
  return preProcessFile(seen, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** The TypeScript files of a room, with the files that each imports from this project. */
function importsOf(room: string, isRunning = false): { file: string; imported: string[] }[] {
  const directory = join(root, room);
  if (!existsSync(directory)) return [];
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return files.map((name) => {
    const path = join(directory, name);
    const own = specifiersOf(readFileSync(path, 'utf8'), isRunning).filter((specifier) => specifier.startsWith('.'));
    return { file: join(room, name), imported: own.map((target) => relative(root, join(dirname(path), target))) };
  });
}

/** Every TypeScript file of the project, by its path from the root. */
function allFiles(): string[] {
  const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const rooms = folders
    .map(({ name }) => name)
    .filter((name) => !/^(\.|node_modules$|dist$|experiments$|coverage$)/.test(name));
  const inRooms = rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) => join(room, name)),
  );
  return [...readdirSync(root), ...inRooms].filter((file) => file.endsWith('.ts'));
}

/** The files that each file imports, types included. */
function importGraph(): ReadonlyMap<string, readonly string[]> {
  const files = new Set(allFiles());
  const resolved = (file: string, specifier: string) => {
    const base = join(dirname(file), specifier);
    return [base, `${base}.ts`, join(base, 'index.ts')].find((path) => files.has(path));
  };
  return new Map(
    [...files].map((file) => {
      const { importedFiles } = preProcessFile(readFileSync(join(root, file), 'utf8'), true, true);
      const own = importedFiles.filter(({ fileName }) => fileName.startsWith('.'));
      return [file, own.flatMap(({ fileName }) => resolved(file, fileName) ?? [])];
    }),
  );
}

/** What can be reached from a file by its imports and theirs. */
function reachable(from: string, graph: ReadonlyMap<string, readonly string[]>): Set<string> {
  const seen = new Set<string>();
  const open = [...graph.get(from)!];
  for (let file; (file = open.pop()) !== undefined;) {
    if (seen.has(file)) continue;
    seen.add(file);
    open.push(...graph.get(file)!);
  }
  return seen;
}

/** The parts of all string literals and templates of a file. */
function stringsIn(file: string): string[] {
  const strings: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      strings.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest));
  return strings;
}

/** The statements of a file that export something and have no comment. */
function undocumentedExports(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const own = source.statements.filter((statement) => !ts.isExportDeclaration(statement));
  const exported = own.filter((one) => ts.canHaveModifiers(one) && ts.getModifiers(one)?.some(isExport));
  const bare = exported.filter((statement) => ts.getJSDocCommentsAndTags(statement).length === 0);
  return bare.map((statement) => `${file}: ${statement.getText().split('\n')[0]!}`);
}

function isExport({ kind }: ts.Node): boolean {
  return kind === ts.SyntaxKind.ExportKeyword;
}

/** The sources that a spec tests: the one at its path, or those that its header names. */
function sourcesOf(spec: string): string[] {
  const place = relative('test', spec).replace(/\.spec\.ts$/, '');
  const [script] = place.split('.');
  const mirrored = [place, `${place}.ts`, ...(place.includes(sep) ? [] : [`${script}.ts`])];
  const [header] = readFileSync(join(root, spec), 'utf8').split(/^import /m);
  const named = header!.match(/[\w./-]+(\.ts|\/)/g) ?? [];
  return [...mirrored, ...named].filter((path) => existsSync(join(root, path)));
}

describe('the rules of the house', () => {
  it('let no two files import each other, directly or by way of others', () => {
    const graph = importGraph();
    expect(graph.get(join('runs', 'run_directory.ts'))).to.include(join('runs', 'files.ts'));
    expect([...graph.keys()].filter((file) => reachable(file, graph).has(file))).to.deep.equal([]);
  });

  it('let only runs/ spell the names of files of a run or a search', () => {
    const words: readonly string[] = [runFiles.events, runFiles.evaluation];
    const names = [...Object.values(runFiles), ...Object.values(searchFiles)].filter((name) => !words.includes(name));
    const isName = (text: string) =>
      names.some((name) => text === name || text.endsWith(`/${name}`)) || /(^|\/)\.?(before|again|repeat)_$/.test(text);
    const mayName = (file: string) => /^(runs|test|examples|findings)[\\/]/.test(file);
    const spelling = allFiles().filter((file) => !mayName(file) && stringsIn(file).some(isName));
    expect(spelling).to.deep.equal([]);
    expect(stringsIn(join('runs', 'files.ts')).filter(isName)).to.include(runFiles.test);
  });

  for (const [room, others] of Object.entries(allowed)) {
    it(`${room} imports nothing of the project but ${[room, ...others].join(', ')}`, () => {
      for (const { file, imported } of importsOf(room)) {
        for (const target of imported) expect([room, ...others], `${file}: ${target}`).to.include(target.split(sep)[0]);
      }
    });
  }

  it('are about every room of model/', () => {
    expect(readdirSync(join(root, 'model')).sort()).to.deep.equal(Object.keys(within).sort());
  });

  for (const [room, others] of Object.entries(within)) {
    it(`model/${room} imports of model/ nothing but ${[room, ...others].join(', ')}${room === 'experiment' ? '' : ', and no types of model/experiment'}`, () => {
      const placeOf = (target: string) => target.split(sep).slice(0, 2);
      for (const { file, imported } of importsOf(join('model', room), true)) {
        for (const [top, place] of imported.map(placeOf)) {
          if (top === 'model') expect([room, ...others], `${file}: ${place}`).to.include(place);
        }
      }
      for (const { file, imported } of room === 'experiment' ? [] : importsOf(join('model', room))) {
        for (const target of imported) expect(target, file).not.to.match(/^model.experiment/);
      }
    });
  }

  it('have a comment at every export of engine/', () => {
    const files = allFiles().filter((file) => file.startsWith(`engine${sep}`));
    expect(files).to.include(join('engine', 'graph.ts'));
    expect(files.flatMap(undocumentedExports)).to.deep.equal([]);
  });

  it('have every spec at the path of what it tests, or name that in its header', () => {
    const specs = allFiles().filter((file) => file.startsWith(`test${sep}`) && file.endsWith('.spec.ts'));
    expect(specs).to.include(join('test', 'rules.spec.ts'));
    expect(specs.filter((spec) => sourcesOf(spec).length === 0)).to.deep.equal([]);
  });

  it('let only one file, which turns its telemetry off, load ONNX Runtime', () => {
    const isLoaded = /(from|import|require)\W*onnxruntime-node['"]/;
    const files = [
      ...Object.keys(allowed).flatMap((room) =>
        readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) => join(room, name)),
      ),
      ...readdirSync(root),
    ];
    const loading = files.filter(
      (file) => file.endsWith('.ts') && isLoaded.test(readFileSync(join(root, file), 'utf8')),
    );
    expect(loading).to.deep.equal([join('engine', 'onnx_runtime.ts')]);
  });

  it('are about the files that there are', () => {
    const imported = ['utils', 'engine', 'model'].flatMap((room) => importsOf(room)).flatMap((entry) => entry.imported);
    for (const target of ['utils/errors', 'engine/graph', 'model/nets']) expect(imported).to.include(join(target));
  });
});

describe('the indexes', () => {
  const methods = Object.keys(distillers);
  const base = { model_version: 'cnn', learning_rate: 0.1, num_epochs: 1 };
  const parse = (params: object) => parseParams({ ...base, ...params }, 'params.json');

  it('list plain names', () => {
    for (const name of [...Object.keys(nets), ...methods, ...datasetNames]) {
      expect(name).to.match(/^[A-Za-z][A-Za-z0-9_.]*$/);
    }
  });

  it('list nets that can be students, alone and taught, and teachers', () => {
    for (const name of Object.keys(nets)) {
      for (const model_version of [name, `${name}_distill`]) {
        const params = parse({ model_version, teacher: name });
        expect(netOf(params)).to.equal(name);
        expect(params.method.map((one) => one.name)).to.deep.equal([model_version === name ? 'nokd' : 'kd']);
      }
    }
  });

  it('list methods and datasets that can be chosen', () => {
    for (const method of methods) {
      const [one, ...others] = parse({ method, teacher: 'cnn' }).method;
      expect(one).to.have.property('name', method);
      expect(others).to.deep.equal([]);
    }
    for (const name of datasetNames) {
      const { required = [] } = datasets[name];
      const own = Object.fromEntries(required.map((key) => [key, 'a']));
      expect(parse({ dataset: required.length > 0 ? { name, ...own } : name }).dataset.name).to.equal(name);
    }
  });
});
