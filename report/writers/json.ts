/** All runs and rows as JSON: exact values, null for what is not a number. The curves stay in each metrics.jsonl. */
import { chosenOnTest, type Run, type RunScore } from '../collect/run';
import type { Baseline, Comparison } from '../comparison';
import type { Column } from '../table/columns';
import { statisticOf, type Row } from '../table/rows';
import type { Table } from '../table/table';

/** `runs`: everything about each; `rows`: the runs of each by their directories, statistics, comparison. */
export function toJson({ allColumns, sections, comparisons }: Table, baseline?: Baseline): string {
  const rows = sections.flatMap((section) => section.rows);
  const content = {
    runs: rows.flatMap((row) => row.runs.map(describeRun)),
    rows: rows.map((row) => ({
      directory: row.directory,
      runs: row.runs.map(({ directory }) => directory),
      params: Object.fromEntries(row.params),
      statistics: statisticsOf(row, allColumns),
      ...(baseline && { comparison: describeComparison(comparisons.get(row)) }),
    })),
    ...(baseline && { baseline: baseline.row.directory, compared: baseline.metric }),
  };
  return `${JSON.stringify(content, null, 4)}\n`;
}

function describeRun(run: Run) {
  return {
    directory: run.directory,
    status: run.status,
    seed: run.params.get('seed') ?? run.facts.get('seed'),
    params: Object.fromEntries(run.params),
    val: describeScore(run.val),
    test: describeScore(run.test),
    last: describeScore(run.last),
    chosen_on_test: chosenOnTest(run),
    run: Object.fromEntries(run.facts),
    errors: run.errors,
  };
}

function describeScore(score: RunScore | undefined) {
  return score && { ...Object.fromEntries(score.metrics), epoch: score.epoch, selected_on: score.selectedOn };
}

function describeComparison(comparison: Comparison | undefined) {
  if (!comparison) return null;
  const { classes, ...others } = comparison;
  return { ...others, ...(classes.size > 0 && { classes: Object.fromEntries(classes) }) };
}

function statisticsOf(row: Row, columns: readonly Column[]) {
  const entries = columns
    .filter(({ spread }) => spread)
    .map((column) => ({
      name: column.name,
      values: row.runs.map((run) => column.value(run, row)).filter((value) => typeof value === 'number'),
    }))
    .filter(({ values }) => values.length > 0)
    .map(({ name, values }) => [name, statisticOf(values)] as const);
  return Object.fromEntries(entries);
}
