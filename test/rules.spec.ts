/** The rules of the house: which room may import which, and that what the indexes list can be named in params.json. */
import { expect } from 'chai';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { preProcessFile } from 'typescript';
import { datasetNames } from '../model/data';
import { catalogue } from '../model/experiment/experiment';
import { nets } from '../model/nets';
import { netOf, parseParams } from '../model/experiment/params';

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
};

/** The TypeScript files of a room, with the files that each imports from this project. */
function importsOf(room: string): { file: string; imported: string[] }[] {
  const directory = join(root, room);
  if (!existsSync(directory)) return [];
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return files.map((name) => {
    const path = join(directory, name);
    const specifiers = preProcessFile(readFileSync(path, 'utf8'), true, true).importedFiles.map(
      ({ fileName }) => fileName,
    );
    const own = specifiers.filter((specifier) => specifier.startsWith('.'));
    return { file: join(room, name), imported: own.map((target) => relative(root, join(dirname(path), target))) };
  });
}

describe('the rules of the house', () => {
  for (const [room, others] of Object.entries(allowed)) {
    it(`${room} imports nothing of the project but ${[room, ...others].join(', ')}`, () => {
      for (const { file, imported } of importsOf(room)) {
        for (const target of imported) expect([room, ...others], `${file}: ${target}`).to.include(target.split(sep)[0]);
      }
    });
  }

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
    const imported = ['utils', 'engine', 'model'].flatMap(importsOf).flatMap((entry) => entry.imported);
    for (const target of ['utils/errors', 'engine/graph', 'model/nets']) expect(imported).to.include(join(target));
  });
});

describe('the indexes', () => {
  const methods = Object.keys(catalogue.methods);
  const base = { model_version: 'cnn', learning_rate: 0.1, num_epochs: 1 };
  const parse = (params: object) => parseParams({ ...base, ...params }, 'params.json', catalogue);

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
      const own = {
        folder: { dir: 'images' },
        npz: { file: 'a.npz' },
        parquet: { dir: 'a' },
        webdataset: { dir: 'a' },
      }[name as string];
      const dataset = own ? { name, ...own } : name;
      expect(parse({ dataset }).dataset.name).to.equal(name);
    }
  });
});
