/**
 * Builds the package that other projects install, in dist/: compiled JavaScript with types and source maps in the layout of the
 * sources, so that code which finds a file beside itself finds it there too.
 *
 *   npm run package        builds it and packs it into distillery-<version>.tgz
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import manifest from '../package.json';
import { runFiles } from '../runs/files';
import { parseArguments, runMain } from '../utils/cli';
import { UserError } from '../utils/errors';

const root = join(__dirname, '..');
const dist = join(root, 'dist');

/** What is neither compiled nor in package.json, by its path in both places. */
const copied = [
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'schemas/params.schema.json',
  'schemas/search.schema.json',
  'report/page/style.css',
  'runs/heartbeat_worker.cjs',
  'tools/install.cjs',
  `experiments/quickstart/alone/${runFiles.params}`,
  `experiments/quickstart/distilled/${runFiles.params}`,
  `experiments/quickstart/teacher/${runFiles.best}`,
];

/** Packages that only a checkout needs: it runs TypeScript. */
const ofCheckouts = ['ts-node', 'typescript'];

const command = { name: 'package.ts', summary: 'Builds the package in dist/ and packs it.', flags: {} } as const;

function compile(): void {
  const path = join(root, 'tsconfig.package.json');
  const { config } = ts.readConfigFile(path, (file) => readFileSync(file, 'utf8')) as { config: unknown };
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram(fileNames, options);
  const { diagnostics } = program.emit(undefined, undefined, undefined, true);
  // Types are for readers; what Node.js reads has its comments in the source maps.
  ts.createProgram(fileNames, { ...options, declaration: false, removeComments: true }, undefined, program).emit();
  const mistakes = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (mistakes.length === 0) return;
  const host = {
    getCanonicalFileName: (name: string) => name,
    getCurrentDirectory: () => root,
    getNewLine: () => '\n',
  };
  throw new UserError(ts.formatDiagnostics(mistakes, host).trimEnd());
}

/** The package.json of the package. TensorFlow.js, 280 MB of optional devices, is left to those who want it. */
function packageManifest(): object {
  const { name, version, description, license, engines, dependencies, optionalDependencies } = manifest;
  const kept = Object.entries(dependencies).filter(([one]) => !ofCheckouts.includes(one));
  const types = manifest.devDependencies['@types/node'];
  const peers = { ...optionalDependencies, '@tensorflow/tfjs-node': optionalDependencies['@tensorflow/tfjs'] };
  return {
    name,
    version,
    description,
    keywords: ['knowledge distillation', 'machine learning', 'onnx', 'training', 'hyperparameter search'],
    license,
    type: 'commonjs',
    main: './index.js',
    types: './index.d.ts',
    exports: {
      '.': { types: './index.d.ts', default: './index.js' },
      './schemas/*': './schemas/*',
      './package.json': './package.json',
    },
    bin: { distillery: 'distillery.js' },
    scripts: { preinstall: 'node tools/install.cjs' },
    engines,
    dependencies: { ...Object.fromEntries(kept), '@types/node': types },
    peerDependencies: peers,
    peerDependenciesMeta: Object.fromEntries(Object.keys(peers).map((one) => [one, { optional: true }])),
  };
}

/** Builds dist/ anew. */
export function buildPackage(): void {
  rmSync(dist, { recursive: true, force: true });
  compile();
  for (const path of copied) {
    const [from, to] = [join(root, path), join(dist, path)];
    mkdirSync(dirname(to), { recursive: true });
    // Editors read schemas; nobody needs their indentation, half of their bytes.
    if (path.endsWith('.schema.json')) writeFileSync(to, JSON.stringify(JSON.parse(readFileSync(from, 'utf8'))));
    else copyFileSync(from, to);
  }
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(packageManifest(), null, 2)}\n`);
  chmodSync(join(dist, 'distillery.js'), 0o755);
}

function main(): Promise<void> {
  parseArguments(process.argv.slice(2), command);
  buildPackage();
  const { status } = spawnSync('npm', ['pack', '--silent', './dist'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new UserError('npm pack failed; see its message above');
  return Promise.resolve();
}

if (require.main === module) void runMain(main);
