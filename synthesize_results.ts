/**
 * One table over all runs below a directory, kept there as results.md, results.csv or results.json:
 *
 *   npx ts-node synthesize_results.ts --parent_dir experiments/cnn_distill_alpha_temp --sort -val_accuracy
 *   npx ts-node synthesize_results.ts --parent_dir experiments --baseline experiments/base_cnn --group_by method
 */
import { existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { collectRuns, type Run } from './report/collect';
import { baselineIn } from './report/comparison';
import { toCsv } from './report/csv';
import { toJson } from './report/json';
import { toMarkdown } from './report/markdown';
import { rowsOf } from './report/rows';
import { makeTable } from './report/table';
import { terminalOf, toTerminal } from './report/terminal';
import { oneOf, parseArguments, runMain } from './utils/cli';
import { messageOf, UserError } from './utils/errors';
import { writeFileAtomic } from './utils/files';

const command = {
  name: 'synthesize_results.ts',
  summary: 'Makes one table of all runs below a directory.',
  flags: {
    parent_dir: { type: 'string', default: 'experiments', help: 'where runs are sought, at any depth' },
    sort: { type: 'string', help: 'columns to sort by, with commas; -name puts the largest first' },
    columns: { type: 'string', help: 'columns to show, with commas' },
    format: { type: 'string', default: 'md', help: 'of the file: md, csv or json' },
    group_by: { type: 'string', help: 'a column; the rows of each of its values get a table of their own' },
    baseline: { type: 'string', help: 'directory of a run that all others are compared with' },
  },
} as const;

/** The file of a table, by format. */
const formats = { md: toMarkdown, csv: toCsv, json: toJson };

function main(): Promise<void> {
  const { parent_dir: parent, ...args } = parseArguments(process.argv.slice(2), command);
  const format = oneOf('format', args.format, ['md', 'csv', 'json'] as const);
  const names = (list: string | undefined) => list?.split(',').map((name) => name.trim());

  const found = collectRuns(parent);
  if (found.length === 0) throw new UserError(`${parent}: holds no run with results`);
  const { directory, runs } =
    args.baseline === undefined ? { runs: found } : withBaseline(found, parent, args.baseline);
  const rows = rowsOf(runs);
  const baseline = directory === undefined ? undefined : baselineIn(rows, directory);
  const options = { columns: names(args.columns), sort: names(args.sort), groupBy: args.group_by, baseline };
  const table = makeTable(rows, options);

  const path = join(parent, `results.${format}`);
  write(path, formats[format](table, baseline));
  process.stdout.write(toTerminal(table, terminalOf(process.stdout)));
  process.stdout.write(`${runs.length} runs; the table is kept in ${path}\n`);
  return Promise.resolve();
}

/** All runs, with those of the baseline where it lies elsewhere, and its directory as they name it. */
function withBaseline(found: readonly Run[], parent: string, given: string): { directory: string; runs: Run[] } {
  const path = [given, join(parent, given)].find(existsSync);
  if (path === undefined) throw new UserError(`--baseline: ${given}: no such directory`);
  const known = new Set(found.map(({ directory }) => directory));
  const others = collectRuns(path, parent).filter(({ directory }) => !known.has(directory));
  return { directory: relative(parent, path).split(sep).join('/') || '.', runs: [...found, ...others] };
}

function write(path: string, content: string): void {
  try {
    writeFileAtomic(path, content);
  } catch (error) {
    throw new UserError(`${path}: cannot be written: ${messageOf(error)}`);
  }
}

void runMain(main);
