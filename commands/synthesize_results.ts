/** One table over all runs below a directory: on the terminal, as a file, or as a page with charts. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { STORE } from '../formats/mlflow';
import { collectRuns, wouldBeRuns } from '../report/collect/collect';
import type { Run } from '../report/collect/run';
import { baselineIn, type Baseline } from '../report/comparison';
import { pageData, type PageData } from '../report/page/data';
import { writeFigures } from '../report/page/figures';
import { toHtml } from '../report/page/html';
import { servePage } from '../report/page/server';
import { rowsOf } from '../report/table/rows';
import { makeTable, type Table } from '../report/table/table';
import { toCsv } from '../report/writers/csv';
import { toJson } from '../report/writers/json';
import { toMarkdown } from '../report/writers/markdown';
import { writeMlflow } from '../report/writers/mlflow';
import { refuseOtherStudy, toOptuna } from '../report/writers/optuna';
import { terminalOf, toTerminal } from '../report/writers/terminal';
import { integerFlag, oneOf, parseArguments, warning } from '../utils/cli';
import { UserError } from '../utils/errors';
import { removeDrafts, writeFileAtomic } from '../utils/files';
import { onEnding } from '../utils/interrupt';
import { show } from '../utils/json';
import { printable } from '../utils/printable';
import { counted } from '../utils/words';

const command = {
  name: 'synthesize_results.ts',
  summary: 'Makes one table of all runs below a directory.',
  flags: {
    parent_dir: { type: 'string', default: 'experiments', help: 'directory to search for runs, at any depth' },
    sort: { type: 'string', help: 'columns to sort by, separated by commas; -name sorts in descending order' },
    columns: {
      type: 'string',
      help: 'columns to show beside the name, separated by commas; +name adds one to the usual ones',
    },
    format: { type: 'string', help: 'file format: md (the default), csv, json or html (with --watch the default)' },
    out: {
      type: 'string',
      help: 'output file (default: results.<format>, or report.html, in --parent_dir); with --out or --format, a file that cannot be written is an error',
    },
    group_by: { type: 'string', help: 'column to group by; each of its values gets its own table' },
    baseline: { type: 'string', help: 'directory of a run to compare all others with' },
    mlflow: { type: 'string', help: "also write all runs into this folder of MLflow's file store, such as mlruns" },
    optuna: {
      type: 'string',
      help: "also write the search in --parent_dir as a study into this file of Optuna's journal storage",
    },
    watch: { type: 'boolean', default: false, help: 'serve the page on this machine until Ctrl-C' },
    port: { type: 'number', default: 0, help: 'port for --watch; 0 picks a free one' },
  },
} as const;

/** The file for the table of the runs below `parent`, by format. */
type Writer = (table: Table, baseline: Baseline | undefined, parent: string) => string;
const formats = { md: toMarkdown, csv: toCsv, json: toJson, html: toHtml } satisfies Record<string, Writer>;

export async function synthesizeResults(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const format = oneOf('format', args.format ?? (args.watch ? 'html' : 'md'), ['md', 'csv', 'json', 'html'] as const);
  if (args.mlflow !== undefined && !new RegExp(STORE).test(args.mlflow)) {
    throw new UserError(`--mlflow must be the path of a directory, not a URI, got ${show(args.mlflow)}`, 2);
  }
  if (args.watch && format !== 'html') throw new UserError('--watch requires --format html', 2);
  const { parent_dir: parent, port } = args;
  integerFlag('port', port, 0, 65535);
  if (args.optuna !== undefined) refuseOtherStudy(args.optuna);
  const study = args.optuna === undefined ? '' : toOptuna(parent);
  const { table, baseline, runs } = tabulate(args);
  if (runs === 0 && !args.watch) throw new UserError(`${parent}: contains no run with results: ${wouldBeRuns}`);

  if (runs > 0) process.stdout.write(toTerminal(table, terminalOf(process.stdout)));
  const path = args.out ?? join(parent, format === 'html' ? 'report.html' : `results.${format}`);
  const writer: Writer = formats[format];
  try {
    removeDrafts(dirname(path));
    writeFileAtomic(path, writer(table, baseline, parent));
    process.stdout.write(`${counted(runs, 'run')}; table written to ${path}\n`);
    if (format === 'html') await keepFigures(join(dirname(path), 'report'), pageData(table, parent));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    warning(`${printable(error.message)}; use --out to write another file`);
    // The content of results.md has been printed, that of other files has not.
    if (args.out !== undefined || format !== 'md') process.exitCode = 1;
  }
  if (args.mlflow !== undefined) {
    const found = table.sections.flatMap(({ rows }) => rows.flatMap((row) => row.runs));
    writeMlflow(args.mlflow, parent, found);
    process.stdout.write(`${counted(found.length, 'run')} written to ${args.mlflow}\n`);
  }
  if (args.optuna !== undefined) {
    writeFileAtomic(args.optuna, study);
    process.stdout.write(`study written to ${args.optuna}\n`);
  }
  if (!args.watch) return;

  const server = await servePage(() => pageData(tabulate(args).table, parent), port);
  const interrupted = interruption();
  process.stdout.write(`${server.address} shows the runs live; press Ctrl-C to stop\n`);
  process.exitCode = await interrupted;
  await server.close();
}

interface TableArguments {
  readonly parent_dir: string;
  readonly sort: string | undefined;
  readonly columns: string | undefined;
  readonly group_by: string | undefined;
  readonly baseline: string | undefined;
}

/** The table of the current runs. */
function tabulate({ parent_dir: parent, ...args }: TableArguments): {
  table: Table;
  baseline?: Baseline;
  runs: number;
} {
  const names = (list: string | undefined) => list?.split(',').map((name) => name.trim());
  const found = collectRuns(parent);
  if (found.length === 0) return { table: makeTable([]), runs: 0 };
  const { directory, runs } =
    args.baseline === undefined ? { runs: found } : withBaseline(found, parent, args.baseline);
  const rows = rowsOf(runs);
  const baseline = directory === undefined ? undefined : baselineIn(rows, directory);
  const options = { columns: withName(names(args.columns)), sort: names(args.sort), groupBy: args.group_by, baseline };
  return { table: makeTable(rows, options), baseline, runs: runs.length };
}

/** The columns of `--columns`, behind the name of the row unless that has a place among them. */
function withName(columns: readonly string[] | undefined): readonly string[] | undefined {
  const isNamed = columns?.some((name) => ['directory', 'row'].includes(name)) ?? true;
  const isOnly = columns?.some((name) => !name.startsWith('+')) ?? false;
  return isNamed || !isOnly ? columns : ['directory', ...columns!];
}

/** Waits for Ctrl-C, SIGTERM or a closed terminal; returns the exit code that shells report for it. */
function interruption(): Promise<number> {
  return new Promise((resolve) => onEnding((_, exitCode) => resolve(exitCode)));
}

/** All runs, with those of a baseline that lies elsewhere, and the directory of the baseline as the runs name it. */
function withBaseline(found: readonly Run[], parent: string, given: string): { directory: string; runs: Run[] } {
  const path = [given, join(parent, given)].find(existsSync);
  if (path === undefined) throw new UserError(`--baseline: ${given}: no such directory`);
  const known = new Set(found.map(({ directory }) => directory));
  const others = collectRuns(path, parent).filter(({ directory }) => !known.has(directory));
  return { directory: relative(parent, path).split(sep).join('/') || '.', runs: [...found, ...others] };
}

async function keepFigures(folder: string, data: PageData): Promise<void> {
  removeDrafts(folder);
  const count = await writeFigures(folder, data);
  if (count > 0) process.stdout.write(`${count} figures written to ${folder}\n`);
}
