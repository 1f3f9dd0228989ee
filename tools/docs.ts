/**
 * Generates pages and pictures of docs/, and the schemas for editors, from the code:
 *
 *   npm run docs                 writes them
 *   npm run docs -- --check      exits with 1 if one of them is out of date
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { paramsEditorSchema } from '../model/experiment/params/editor_schema';
import { editorSchema } from '../search/settings/schema';
import { parseArguments, runMain } from '../utils/cli';
import { UserError } from '../utils/errors';
import { costsPage } from './costs_doc';
import { frameworksPage } from './frameworks_doc';
import { methodFigures } from './method_figures';
import { paramsPage } from './params_doc';
import { findRooms, roomsPicture } from './rooms';

const root = join(__dirname, '..');

const command = {
  name: 'docs.ts',
  summary: 'Generates pages and pictures of docs/, and the schemas for editors, from the code.',
  flags: {
    check: { type: 'boolean', default: false, help: 'write nothing; exit code 1 if one of them is out of date' },
  },
} as const;

/** Generated files by path, except the reference of index.ts, which takes some seconds. */
export function generatedFiles(): Record<string, string> {
  const figures = Object.entries(methodFigures()).map(([name, svg]) => [`docs/pictures/${name}`, svg]);
  return {
    'schemas/params.schema.json': json(paramsEditorSchema()),
    'schemas/search.schema.json': json(editorSchema()),
    'docs/costs.md': costsPage(),
    'docs/frameworks.md': frameworksPage(),
    'docs/params.md': paramsPage(),
    'docs/pictures/rooms.svg': roomsPicture(findRooms()),
    ...(Object.fromEntries(figures) as Record<string, string>),
  };
}

const json = (schema: object) => `${JSON.stringify(schema, null, 2)}\n`;

/** The API reference of index.ts, by typedoc with typedoc.json. */
function apiFiles(): Record<string, string> {
  const out = mkdtempSync(join(tmpdir(), 'api-'));
  try {
    const typedoc = join(root, 'node_modules', 'typedoc', 'bin', 'typedoc');
    const { status } = spawnSync(process.execPath, [typedoc, '--out', out], { cwd: root, stdio: 'inherit' });
    if (status !== 0) throw new UserError('typedoc failed; see its message above');
    const names = readdirSync(out).filter((name) => name.endsWith('.md'));
    return Object.fromEntries(names.map((name) => [`docs/api/${name}`, tidied(readFileSync(join(out, name), 'utf8'))]));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** typedoc calls a parameter that is taken apart __namedParameters; and that nothing is returned needs no words. */
function tidied(page: string): string {
  return page
    .replaceAll('__namedParameters', 'options')
    .replaceAll(/#{3,6} Returns\n\n`void`\n\n?/g, '')
    .replaceAll(/ +$/gm, '')
    .replaceAll(/\n{3,}/g, '\n\n');
}

function main(): Promise<void> {
  const { check } = parseArguments(process.argv.slice(2), command);
  const files = { ...generatedFiles(), ...apiFiles() };
  const stale = Object.entries(files).filter(([path, content]) => {
    const file = join(root, path);
    return !existsSync(file) || readFileSync(file, 'utf8') !== content;
  });
  if (check && stale.length > 0) {
    const names = stale.map(([path]) => path).join(', ');
    throw new UserError(`${names}: out of date; run "npm run docs" to write it again`);
  }
  for (const [path, content] of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    process.stdout.write(`${path}\n`);
  }
  return Promise.resolve();
}

if (require.main === module) void runMain(main);
