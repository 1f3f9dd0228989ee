/** The columns of a table: the value that each reads from a run, and its format. */
import type { Flat, Scalar } from '../../utils/flatten';
import { formatDuration } from '../../utils/progress';
import { methodOf } from '../collect/method';
import { chosenOnTest, progressOf, type Run, type RunScore } from '../collect/run';
import type { Baseline, Comparison } from '../comparison';
import { compact, grouped, metric, pValue, rounded, short, signed } from './format';
import { statisticOf, type Row } from './rows';

/** undefined if a run has no such value. */
export type Value = Scalar | undefined;

export interface Column {
  /** The header, and its name for --columns and --sort. */
  readonly name: string;
  /** Whether it is shown by default. */
  readonly shown: boolean;
  readonly numeric: boolean;
  /** Whether the table shows mean and spread of repeats, or only the mean. */
  readonly spread: boolean;
  /** The exact value of one of a row's runs. */
  readonly value: (run: Run, row: Row) => Value;
  /** What the table shows. */
  readonly text: (row: Row) => string;
  /** The sort key of rows: the mean if several runs have numbers. */
  readonly key: (row: Row) => Value;
  /** Whether the value of a row is a default, which its params.json leaves out; only of params. */
  readonly isDefault?: (row: Row) => boolean;
}

/** Marks an accuracy whose epoch was, or may have been, chosen on the test set. */
export const TEST_MARK = '†';

/** Maximum classes in a cell of differences. */
const MOST_CLASSES = 5;
/** Maximum length of a text in a cell. */
const MOST_CHARACTERS = 500;

export type Comparisons = ReadonlyMap<Row, Comparison>;

/** All columns for which some run has a value, in the order of the table. */
export function columnsOf(rows: readonly Row[], baseline?: Baseline, comparisons: Comparisons = new Map()): Column[] {
  const runs = rows.flatMap((row) => row.runs);
  const hidden = { shown: false };
  const columns = [
    column('directory', (run) => run.directory, { text: (row) => row.directory }),
    ...paramColumns(rows),
    ...scoreColumns('val', runs, (run) => run.val),
    ...scoreColumns('test', runs, (run) => run.test),
    ...scoreColumns('last', runs, (run) => run.last, hidden),
    column('best_epoch', ({ val, test }) => (val ?? test)?.epoch, { format: rounded }),
    column('epochs', (run) => progressOf(run).done || undefined, { format: rounded, ...hidden }),
    column('parameters', ({ facts }) => facts.get('parameters'), { format: grouped }),
    column('flops', ({ facts }) => facts.get('flops_per_image'), { format: compact }),
    column('time', ({ facts }) => facts.get('seconds'), { format: formatDuration }),
    column('status', ({ status }) => status, { text: statusText }),
    ...(baseline ? comparisonColumns(baseline, comparisons) : []),
    column('chosen_on_test', (run) => (run.val ?? run.test) && chosenOnTest(run), hidden),
    column('errors', errorText, hidden),
    column('params_edited', ({ changed }) => (changed.length > 0 ? changed.join(', ') : undefined), hidden),
    column('row', (_, row) => row.directory, hidden),
    column('n', (_, row) => row.runs.length, { format: String, ...hidden }),
    ...namesIn(runs.map(({ facts }) => facts))
      .filter((name) => !['parameters', 'flops_per_image', 'seconds'].includes(name))
      .map((name) => column(`run.${name}`, ({ facts }) => facts.get(name), hidden)),
  ];
  return columns.filter(({ value }) => rows.some((row) => row.runs.some((run) => isValue(value(run, row)))));
}

interface Options {
  readonly shown?: boolean;
  readonly spread?: boolean;
  /** The number format; without it the column contains texts. */
  readonly format?: (value: number) => string;
  /** Overrides the content of a row's cell. */
  readonly text?: (row: Row) => string;
  /** A suffix for the cell. */
  readonly mark?: (row: Row) => string;
  readonly isDefault?: Column['isDefault'];
}

function column(name: string, value: Column['value'], options: Options = {}): Column {
  const { shown = true, spread = false, format, mark = () => '', isDefault } = options;
  const valuesOf = (row: Row) => row.runs.map((run) => value(run, row)).filter(isValue);
  const meanOf = (values: readonly Scalar[]) => {
    const numbers = values.filter((one) => typeof one === 'number');
    return numbers.length > 0 && numbers.length === values.length ? statisticOf(numbers) : undefined;
  };
  const textOf = (row: Row): string => {
    const values = valuesOf(row);
    const statistic = meanOf(values);
    if (!statistic || !format) return values.every((one) => one === values[0]) ? shortened(values[0]) : '';
    const isSpread = spread && row.runs.length > 1;
    const margin = isSpread ? ` ± ${format(statistic.standardDeviation)} (${statistic.n})` : '';
    return format(statistic.mean) + margin + mark(row);
  };
  return {
    name,
    shown,
    numeric: format !== undefined,
    spread,
    value,
    text: options.text ?? textOf,
    key(row) {
      const values = valuesOf(row);
      return meanOf(values)?.mean ?? values[0];
    },
    ...(isDefault && { isDefault }),
  };
}

/** The text of a value in a cell, shortened to keep rows narrow. */
function shortened(value: Value): string {
  const text = String(value ?? '');
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text;
}

/** A column for each key of params.json; shown by default if its values differ between rows. */
function paramColumns(rows: readonly Row[]): Column[] {
  const known = rows.filter(({ params }) => params.size > 0);
  const all = known.flatMap(({ runs }) => runs.map(({ params }) => params));
  const names = new Set([...namesIn(all), 'method', 'seed']);
  // The seed comes last: it tells the runs of one experiment apart.
  names.delete('seed');
  // It is in the column `method`.
  names.delete('method.name');
  return [...names, 'seed'].map((name) => {
    const isGiven = known.some(({ runs }) => runs.some(({ given }) => given.has(name)));
    // That other methods or teachers have no such key tells nothing, where it has its default.
    const valueIn = (params: Flat) => (name === 'method' ? params.get('method.name') : undefined) ?? params.get(name);
    const having = isGiven ? known : known.filter(({ params }) => valueIn(params) !== undefined);
    const differs = new Set(having.map(({ params }) => JSON.stringify(valueIn(params)))).size > 1;
    const isNumeric = all.every((params) => typeof (params.get(name) ?? 0) === 'number') && name !== 'method';
    return column(name, ({ params }) => paramOf(params, name), {
      shown: differs,
      isDefault: ({ runs }) => runs.every(({ params, given }) => params.has(name) && !isGivenIn(given, name)),
      text: ({ params }) => {
        const value = paramOf(params, name);
        return shortened(typeof value === 'number' ? short(value) : value);
      },
      ...(isNumeric && { format: short }),
    });
  });
}

/**
 * Whether a params.json gives a param, be it by a shorter form: `"schedule": "step"` gives `schedule.type`, and a method may
 * be part of the name of the network.
 */
function isGivenIn(given: Flat, name: string): boolean {
  const short = /^(.+)\.(?:name|type|model)$/.exec(name)?.[1];
  return name === 'method' || [name, short, `${name}.model`].some((key) => key !== undefined && given.has(key));
}

/** A param; `method` by name only, several joined with +. */
function paramOf(params: Flat, name: string): Value {
  return name === 'method' ? methodOf(params) : params.get(name);
}

function scoreColumns(
  prefix: string,
  runs: readonly Run[],
  scoreOf: (run: Run) => RunScore | undefined,
  options: Options = {},
): Column[] {
  const mark = (row: Row) => (prefix !== 'last' && row.runs.some(chosenOnTest) ? TEST_MARK : '');
  return namesIn(runs.map((run) => scoreOf(run)?.metrics ?? new Map())).map((name) =>
    column(`${prefix}_${name}`, (run) => scoreOf(run)?.metrics.get(name), {
      format: metric,
      spread: true,
      ...(name === 'accuracy' && { mark }),
      ...(name === 'calibration_error' && prefix !== 'test' && { shown: false }),
      ...options,
    }),
  );
}

/** The difference to the baseline, with its interval and verdict. */
function comparisonColumns(baseline: Baseline, comparisons: Comparisons): Column[] {
  const hidden = { shown: false };
  const difference = (row: Row) => {
    const { n = 0, mean = NaN, interval = [NaN, NaN] } = comparisons.get(row) ?? {};
    const [low, high] = interval.map(signed);
    return n === 0 ? '' : signed(mean) + (Number.isNaN(interval[0]) ? '' : ` [${low}, ${high}]`);
  };
  const p = (row: Row) => (comparisons.get(row)?.test ? comparisons.get(row) : undefined);
  const verdict = (row: Row) => (row === baseline.row ? 'baseline' : comparisons.get(row)?.verdict);
  return [
    column('difference', (_, row) => comparisons.get(row)?.mean, { format: signed, text: difference }),
    column('difference_low', (_, row) => comparisons.get(row)?.interval[0], { format: signed, ...hidden }),
    column('difference_high', (_, row) => comparisons.get(row)?.interval[1], { format: signed, ...hidden }),
    column('p', (_, row) => p(row)?.p, { format: pValue, ...hidden }),
    column('p_holm', (_, row) => p(row)?.pHolm, { format: pValue }),
    column('verdict', (_, row) => verdict(row), { text: (row) => verdict(row) ?? '' }),
    column('compared_by', (_, row) => p(row)?.test, hidden),
    column('class_differences', (_, row) => classDifferencesText(comparisons.get(row)), hidden),
  ];
}

/** The classes with the largest differences of accuracy, in descending order. */
function classDifferencesText(comparison: Comparison | undefined): Value {
  const largest = [...(comparison?.classes ?? [])].sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const texts = largest.slice(0, MOST_CLASSES).map(([name, difference]) => `${name} ${signed(difference)}`);
  return texts.length > 0 ? texts.join(', ') : undefined;
}

function statusText({ runs }: Row): string {
  const [run] = runs as [Run];
  const { done, planned = '?' } = progressOf(run);
  if (run.status === 'broken') return `broken: ${run.errors.map(({ file }) => file).join(', ')}`;
  const status = run.status === 'finished' || done === 0 ? run.status : `${run.status} ${done}/${planned}`;
  return runs.some(({ changed }) => changed.length > 0) ? `${status}, params.json edited since` : status;
}

function errorText({ errors }: Run): Value {
  return errors.length > 0 ? errors.map(({ file, reason }) => `${file}: ${reason}`).join('; ') : undefined;
}

function namesIn(maps: readonly ReadonlyMap<string, unknown>[]): string[] {
  return [...new Set(maps.flatMap((map) => [...map.keys()]))];
}

function isValue(value: Value): value is NonNullable<Value> {
  return value !== undefined && value !== null;
}
