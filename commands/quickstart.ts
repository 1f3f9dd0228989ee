/** The first two minutes: a student alone, the same student distilled from a teacher, and a table that compares them. */
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { getBorderCharacters, table } from 'table';
import { mean, standardDeviation } from '../report/statistics/mean';
import { pairedDifference } from '../report/statistics/paired_difference';
import { repeatDirectory, runFiles } from '../runs/files';
import { readScore } from '../runs/metrics';
import { integerFlag, parseArguments } from '../utils/cli';
import { commandLine, programOf } from '../utils/commands';
import { UserError } from '../utils/errors';
import { isThere, makeDirectory, readObject, writeFileAtomic, writeJson } from '../utils/files';
import { withoutSchema } from '../utils/json';

const command = {
  name: 'quickstart.ts',
  summary: 'Trains a student alone and distilled, and compares them.',
  flags: {
    parent_dir: { type: 'string', default: 'experiments/quickstart', help: 'directory for both students' },
    seeds: {
      type: 'number',
      default: 1,
      help: 'number of seeds; with several, the table is also written to comparison.md',
    },
  },
} as const;

/** The experiments that come with the package. */
const PROVIDED = join(__dirname, '..', 'experiments', 'quickstart');

export function quickstart(): Promise<void> {
  const { parent_dir: parent, seeds } = parseArguments(process.argv.slice(2), command);
  integerFlag('seeds', seeds, 1);
  for (const name of ['alone', 'distilled']) provide(parent, name);
  const alone: number[] = [];
  const distilled: number[] = [];
  for (let repeat = 0; repeat < seeds; repeat++) {
    alone.push(testAccuracy(join(parent, 'alone'), repeat));
    distilled.push(testAccuracy(join(parent, 'distilled'), repeat));
  }
  const rows = [
    ['student', 'test accuracy (%)', ...(seeds > 1 ? ['standard deviation', 'seeds'] : [])],
    summary('alone', alone),
    summary('distilled', distilled),
  ];
  process.stdout.write(`\n${table(rows, { border: getBorderCharacters('norc') })}`);
  const difference = pairedDifference(alone, distilled);
  const margin = seeds > 1 ? `, standard error ${points(difference.standardError)}` : '';
  const verdict = `distilled − alone: ${points(difference.mean)} points${margin}\n`;
  process.stdout.write(verdict);
  if (seeds > 1) writeFileAtomic(join(parent, 'comparison.md'), `${markdown(rows)}\n${verdict}`);
  const next = `${commandLine('report')} --parent_dir ${parent} --format html`;
  process.stdout.write(`\nNext: compare the curves of both in a page:\n  ${next}\n`);
  return Promise.resolve();
}

/** Copies an experiment that comes with the package, and its teacher, if the directory has none. */
function provide(parent: string, name: string): void {
  if (isThere(join(parent, name, runFiles.params))) return;
  const params = readObject(join(PROVIDED, name, runFiles.params)) as { teacher?: { checkpoint: string } };
  makeDirectory(join(parent, name));
  if (params.teacher !== undefined) {
    const teacher = join(parent, 'teacher');
    if (!isThere(join(teacher, runFiles.best))) cpSync(join(PROVIDED, 'teacher'), teacher, { recursive: true });
    params.teacher.checkpoint = join(teacher, runFiles.best);
  }
  writeJson(join(parent, name, runFiles.params), params);
}

/** Trains the experiment in `directory`, or its repeat with another seed in a folder below, and reads its score. */
function testAccuracy(directory: string, repeat: number): number {
  const run = repeatDirectory(directory, repeat);
  if (repeat > 0) {
    const params = withoutSchema(readObject(join(directory, runFiles.params))) as { seed?: number };
    makeDirectory(run);
    writeJson(join(run, runFiles.params), { ...params, seed: (params.seed ?? 230) + repeat });
  }
  process.stdout.write(`\n${run}\n`);
  const [program, ...argv] = programOf('train');
  const { status } = spawnSync(program!, [...argv, '--model_dir', run], { stdio: 'inherit' });
  if (status !== 0) throw new UserError(`${run}: training failed; run the same command again to resume`);
  return readScore(join(run, runFiles.test)).metrics.get('accuracy')!;
}

function summary(name: string, values: readonly number[]): string[] {
  const spread = values.length > 1 ? [points(standardDeviation(values)), String(values.length)] : [];
  return [name, points(mean(values)), ...spread];
}

/** A fraction as percentage points. */
function points(share: number): string {
  return (100 * share).toFixed(2);
}

function markdown([head, ...body]: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return line(head!) + line(head!.map((_, column) => (column === 0 ? ':---' : '---:'))) + body.map(line).join('');
}
