/**
 * Reads training logs of other tools: CSV logs of Lightning and Keras, event files of TensorBoard. Values are
 * identified by the words in their names; accuracies in percent become fractions, epochs count from 1.
 */
import { delimiterOf, parseCsv } from '../../formats/csv';
import { readScalars } from '../../formats/tensorboard_scalars';
import { readText } from '../../utils/files';
import type { Curves, RunScore } from './run';

/** File names of Lightning's CSVLogger, and usual names for that of Keras. */
export const csvLogs = ['metrics.csv', 'training.log', 'training.csv', 'training_log.csv', 'history.csv', 'log.csv'];

/** Words for the splits of a data set. */
const partWords: Readonly<Record<string, readonly string[]>> = {
  train: ['train', 'training'],
  val: ['val', 'valid', 'validation', 'dev', 'eval'],
  test: ['test', 'testing'],
};

/** Names without the word for the split and `epoch`. */
const metricNames: Readonly<Record<string, readonly string[]>> = {
  accuracy:
    'accuracy acc acc1 acc_1 top1 top_1 prec1 top1_acc top1_accuracy acc_top1 accuracy_top1 top_1_accuracy categorical_accuracy sparse_categorical_accuracy binary_accuracy multiclass_accuracy multiclassaccuracy'.split(
      ' ',
    ),
  loss: ['loss', 'cross_entropy', 'crossentropy', 'ce', 'nll', 'ce_loss'],
};

export interface ForeignLog {
  readonly val: RunScore | undefined;
  readonly last: RunScore | undefined;
  readonly test: RunScore | undefined;
  readonly history: Curves;
}

/** Values by our name for them and then by epoch. */
type Table = ReadonlyMap<string, ReadonlyMap<number, number>>;

/** Our name for a value, such as `val_accuracy` for `Accuracy/valid`; `part` is the default split. */
export function nameOf(name: string, part: string | undefined = 'train'): string | undefined {
  const words = name
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '' && word !== 'epoch');
  if (words[0] === 'lr' || words.join('_') === 'learning_rate') return 'learning_rate';
  const own = Object.keys(partWords).find((one) => words.some((word) => partWords[one]!.includes(word)));
  const rest = own === undefined ? words : words.filter((word) => !partWords[own]!.includes(word));
  const metric = Object.keys(metricNames).find((one) => metricNames[one]!.includes(rest.join('_')));
  return metric === undefined ? undefined : `${own ?? part}_${metric}`;
}

/** A CSV log; undefined if it is another kind of table. */
export function readCsvLog(path: string): ForeignLog | undefined {
  const text = readText(path);
  const rows = parseCsv(text, delimiterOf(text.split('\n', 1)[0]!));
  const [header = [], ...records] = rows;
  const epochColumn = header.indexOf('epoch');
  const columns = header.flatMap((name, column) => {
    const own = nameOf(name);
    return own === undefined ? [] : [{ own, column }];
  });
  if (epochColumn < 0 || columns.length === 0) return undefined;
  const table = new Map<string, Map<number, number>>();
  for (const record of records) {
    const epoch = numberIn(record[epochColumn]);
    if (!Number.isInteger(epoch)) continue;
    // Lightning has a line for what is told of training, and another for validation.
    for (const { own, column } of columns) {
      const cell = record[column];
      if (cell === undefined || cell === '') continue;
      if (!table.has(own)) table.set(own, new Map());
      table.get(own)!.set(epoch, numberIn(cell));
    }
  }
  const epochs = [...table.values()].flatMap((values) => [...values.keys()]);
  // Both count from 0.
  return epochs.length === 0 ? undefined : logOf(table, epochs.reduce((a, b) => Math.min(a, b)) === 0 ? 1 : 0);
}

/** As Python writes floats. */
function numberIn(cell: string | undefined): number {
  const text = (cell ?? '').trim().toLowerCase();
  if (text === '') return NaN;
  return text.endsWith('inf') ? Number(text.replace('inf', 'Infinity')) : Number(text);
}

/** Maximum points of a curve; longer ones are thinned out. */
const MOST_POINTS = 10_000;

/**
 * Event files, in this order; undefined if they contain neither accuracy nor loss. An epoch ends at a validation value,
 * or at a training value if there are none.
 */
export function readEvents(paths: readonly string[]): ForeignLog | undefined {
  const series = new Map<string, Map<number, number>>();
  const sorted = [...paths].sort();
  for (const folder of new Set(sorted.map((path) => path.split(/[\\/]/).at(-2) ?? ''))) {
    // Keras writes the same tags for both parts, into folders of their own.
    const part = Object.keys(partWords).find((one) => partWords[one]!.includes(folder.toLowerCase()));
    const own = sorted.filter((path) => (path.split(/[\\/]/).at(-2) ?? '') === folder);
    for (const [tag, values] of readScalars(own)) {
      const name = nameOf(tag, part);
      if (name === undefined) continue;
      if (!series.has(name)) series.set(name, new Map());
      for (const [step, value] of values) series.get(name)!.set(step, value);
    }
  }
  const base = ['val_accuracy', 'val_loss', 'train_accuracy', 'train_loss', 'test_accuracy'].find((name) =>
    series.has(name),
  );
  if (base === undefined) return undefined;
  const all = [...series.get(base)!.keys()].sort((a, b) => a - b);
  const stride = Math.ceil(all.length / MOST_POINTS);
  const ends = all.filter((_, i) => (all.length - 1 - i) % stride === 0);
  return logOf(new Map([...series].map(([name, values]) => [name, byEpoch(values, ends)])), 0);
}

/** The last value of each epoch. */
function byEpoch(values: ReadonlyMap<number, number>, ends: readonly number[]): Map<number, number> {
  const found = new Map<number, number>();
  let epoch = 0;
  for (const [step, value] of [...values].sort(([a], [b]) => a - b)) {
    while (epoch < ends.length - 1 && step > ends[epoch]!) epoch++;
    found.set(epoch + 1, value);
  }
  return found;
}

function logOf(table: Table, shift: number): ForeignLog {
  const shared = new Map(
    [...table].map(([name, values]) => [name, name.endsWith('_accuracy') ? shares(values) : values]),
  );
  // What is told of test images comes after the last epoch.
  const training = [...shared].filter(([name]) => !name.startsWith('test_'));
  const told = training.length > 0 ? training : [...shared];
  const epochs = [...new Set(told.flatMap(([, values]) => [...values.keys()]))].sort((a, b) => a - b);
  const history = new Map<string, number[]>([['epoch', epochs.map((epoch) => epoch + shift)]]);
  for (const [name, values] of shared)
    history.set(
      name,
      epochs.map((epoch) => values.get(epoch) ?? NaN),
    );
  const [accuracy, loss] = [shared.get('val_accuracy'), shared.get('val_loss')];
  const best = accuracy ? bestOf(accuracy, (a, b) => a > b) : loss && bestOf(loss, (a, b) => a < b);
  const last = (accuracy ?? loss) && [...(accuracy ?? loss)!.keys()].reduce((a, b) => Math.max(a, b));
  const scoreAt = (epoch: number | undefined): RunScore | undefined =>
    epoch === undefined ? undefined : scoreOf('val', (values) => values.get(epoch), shared, epoch + shift);
  return { val: scoreAt(best), last: scoreAt(last), test: scoreOf('test', lastOf, shared, undefined), history };
}

function scoreOf(
  part: string,
  pick: (values: ReadonlyMap<number, number>) => number | undefined,
  table: Table,
  epoch: number | undefined,
): RunScore | undefined {
  const metrics = ['accuracy', 'loss'].flatMap((metric): [string, number][] => {
    const values = table.get(`${part}_${metric}`);
    const value = values && pick(values);
    return value === undefined ? [] : [[metric, value]];
  });
  return metrics.length === 0 ? undefined : { metrics: new Map(metrics), epoch, selectedOn: undefined };
}

function bestOf(values: ReadonlyMap<number, number>, isBetter: (a: number, b: number) => boolean): number {
  let best: readonly [number, number] | undefined;
  for (const entry of [...values].sort(([a], [b]) => a - b)) {
    if (best === undefined || Number.isNaN(best[1]) || isBetter(entry[1], best[1])) best = entry;
  }
  return best![0];
}

function lastOf(values: ReadonlyMap<number, number>): number | undefined {
  return [...values].sort(([a], [b]) => b - a)[0]?.[1];
}

/** Converts accuracies in percent to fractions. */
function shares(values: ReadonlyMap<number, number>): ReadonlyMap<number, number> {
  const isPercent = [...values.values()].some((value) => value > 1);
  return isPercent ? new Map([...values].map(([epoch, value]) => [epoch, value / 100])) : values;
}
