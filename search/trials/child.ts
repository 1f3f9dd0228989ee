/** The directory of a search's child, as the trainer leaves it. */
import { lstatSync, readlinkSync } from 'node:fs';
import { join, sep } from 'node:path';
import { runFiles, searchFiles } from '../../runs/files';
import { readEpochs, readScore } from '../../runs/metrics';
import { RunDirectory } from '../../runs/run_directory';
import { UserError } from '../../utils/errors';
import { isFile, isThere, makeDirectory, readObject, readText, writeJson } from '../../utils/files';
import { flatten } from '../../utils/flatten';
import type { Trainer } from '../trainer';

type Given = Parameters<Trainer['resolve']>[0];

/** Throws a UserError where a child's directory is a link: what is trained there would lie outside the search. */
export function refuseLinks(parent: string, label: string): void {
  let path = parent;
  for (const part of label.split(sep)) {
    path = join(path, part);
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
    throw new UserError(
      `${path}: is a link to ${readlinkSync(path)}; trials are trained only inside the directory of the search`,
    );
  }
}

/** Whether a directory that was made is there no more, or was emptied but for what was just being written. */
export function isRemoved(directory: string): boolean {
  return !isThere(join(directory, runFiles.params));
}

/**
 * Makes the directory with its params.json. One that is there already is kept, as the run in it depends on it; a
 * UserError tells where it differs in more than the number of threads. What else is there without it is put aside: a run
 * that was removed in part cannot go on.
 */
export function prepareChild(directory: string, params: Given, resolve: Trainer['resolve']): void {
  const path = join(directory, runFiles.params);
  if (isRemoved(directory)) {
    makeDirectory(directory);
    new RunDirectory(directory).putAside();
    writeJson(path, params);
    return;
  }
  const lines = changedParams(readObject(path), params, resolve);
  if (lines.length > 0) {
    throw new UserError(
      `${path}: ${lines.join(', ')} for this search; move the directory away to train it from scratch`,
    );
  }
}

const irrelevant = ['threads', 'checkpoint_every', 'teacher_cache_gigabytes', 'trackers'];

/** A line for each key that differs, but for those that change no result that matters; a default may be written out. */
export function changedParams(before: Given, after: Given, resolve: Trainer['resolve']): string[] {
  const lines = differences(before, after);
  if (lines.length === 0) return [];
  try {
    return differences(resolve(before), resolve(after)).length > 0 ? lines : [];
  } catch (error) {
    if (error instanceof UserError) return lines;
    throw error;
  }
}

function differences(before: Given, after: Given): string[] {
  const [old, now] = [flatten(before), flatten(after)];
  const keys = [...new Set([...old.keys(), ...now.keys()])].filter((key) => !irrelevant.includes(key));
  const text = (value: unknown) => JSON.stringify(value) ?? 'absent';
  return keys
    .filter((key) => old.get(key) !== now.get(key))
    .map((key) => `"${key}" was ${text(old.get(key))}, is ${text(now.get(key))}`);
}

/** A metric (`val_accuracy`, `train_loss`) after each epoch; NaN where the trainer has none. */
export function curveOf(directory: string, metric: string): number[] {
  const path = join(directory, runFiles.metrics);
  if (!isThere(path)) return [];
  const [, part, name] = /^(train|val)_(.*)$/.exec(metric)!;
  return readEpochs(path, { isGrowing: true }).map((record) => {
    const value = (record as Record<string, Record<string, unknown> | null>)[part!]?.[name!];
    return typeof value === 'number' ? value : NaN;
  });
}

/** The metric of a finished run, at the epoch whose weights it kept. */
export function scoreOf(directory: string, metric: string): { value: number; epochs: number } {
  const curve = curveOf(directory, metric);
  const { epoch = curve.length } = readScore(join(directory, runFiles.bestValidation));
  return { value: curve[epoch - 1] ?? NaN, epochs: curve.length };
}

/** What the trainer's log says of its teachers: how often each agrees with the labels, and whether that is a warning. */
export function teacherLines(directory: string): { teacher: string; isWarning: boolean; line: string }[] {
  const path = join(directory, runFiles.log);
  const text = isFile(path) ? readText(path) : '';
  return [...text.matchAll(/:(INFO|WARNING): ((Teacher .+): agrees with the labels of .*)$/gm)].map(
    ([, level, line, teacher]) => ({ teacher: teacher!, isWarning: level === 'WARNING', line: line! }),
  );
}

/** The last line of a child's stderr that is no part of a stack trace; '' where there is none. */
export function lastWords(directory: string): string {
  const path = join(directory, searchFiles.launcherLog);
  const lines = isThere(path) ? readText(path).split(/[\r\n]+/) : [];
  return (
    lines.findLast((line) => line.trim() !== '' && !/^\s*(at |Node\.js v|\d+: 0x|----- )/.test(line))?.trim() ?? ''
  );
}
