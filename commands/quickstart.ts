/** The first two minutes: a student alone, the same student distilled from a teacher, and a table that compares them. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { getBorderCharacters, table } from 'table';
import { mean, standardDeviation } from '../report/statistics/mean';
import { pairedDifference } from '../report/statistics/paired_difference';
import { repeatDirectory, runFiles } from '../runs/files';
import { readScore } from '../runs/metrics';
import { parseArguments } from '../utils/cli';
import { UserError } from '../utils/errors';
import { makeDirectory, readObject, writeFileAtomic, writeJson } from '../utils/files';

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

export function quickstart(): Promise<void> {
  const { parent_dir: parent, seeds } = parseArguments(process.argv.slice(2), command);
  if (!Number.isInteger(seeds) || seeds < 1) throw new UserError(`--seeds must be an integer from 1, got ${seeds}`, 2);
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
  return Promise.resolve();
}

/** Trains the experiment in `directory`, or its repeat with another seed in a folder below, and reads its score. */
function testAccuracy(directory: string, repeat: number): number {
  const run = repeatDirectory(directory, repeat);
  if (repeat > 0) {
    const params = readObject(join(directory, runFiles.params)) as { seed?: number };
    makeDirectory(run);
    writeJson(join(run, runFiles.params), { ...params, seed: (params.seed ?? 230) + repeat });
  }
  process.stdout.write(`\n${run}\n`);
  const argv = [require.resolve('ts-node/dist/bin'), join(__dirname, '..', 'train.ts'), '--model_dir', run];
  const { status } = spawnSync(process.execPath, argv, { stdio: 'inherit' });
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
