/** What sbatch is given for a trial: options and the batch script. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { searchFiles } from '../../runs/files';
import { writeFileAtomic } from '../../utils/files';
import type { SlurmSettings } from '../settings/settings';

/**
 * Writes the batch script into the directory of a trial; returns its path. The trainer takes the place of the script, so that
 * signals of Slurm reach it.
 */
export function writeScript(directory: string, { setup = [] }: SlurmSettings): string {
  const path = join(directory, searchFiles.script);
  writeFileAtomic(path, ['#!/bin/bash', ...setup, 'exec "$@"', ''].join('\n'));
  return path;
}

/** `threads`: CPUs where the settings name none. `growths`: how often the memory has been too little. */
export function sbatchOptions(directory: string, settings: SlurmSettings, threads: number, growths = 0): string[] {
  const { partition, time, gres, account, qos, constraint, nodes_exclude: exclude, cpus = threads } = settings;
  const memory = memoryAfter(settings, growths);
  // The batch script is no job step: without B: Slurm would signal nobody.
  const signal = settings.signal === undefined ? undefined : `B:${settings.signal}`;
  const optional = { partition, account, qos, constraint, exclude, time, signal, gres, mem: memory };
  // In names of files % begins a placeholder.
  const stderr = resolve(directory, searchFiles.launcherLog).replaceAll('%', '%%');
  return [
    '--parsable',
    '--requeue',
    '--ntasks=1',
    `--job-name=${basename(directory)}`,
    `--chdir=${process.cwd()}`,
    '--output=/dev/null',
    `--error=${stderr}`,
    // Slurm's own restarts go on in the same log.
    '--open-mode=append',
    `--cpus-per-task=${cpus}`,
    ...Object.entries(optional).flatMap(([key, value]) => (value === undefined ? [] : [`--${key}=${value}`])),
    ...(settings.options ?? []),
  ];
}

/** The memory that a job asks for after so many that found too little; undefined where the settings leave it to Slurm. */
export function memoryAfter(
  { memory, memory_factor: factor = 1.5 }: SlurmSettings,
  growths: number,
): string | undefined {
  if (memory === undefined || growths === 0) return memory;
  const [, number, unit] = /^([0-9]+)([KMGT]?)$/.exec(memory)!;
  const kilobytes =
    Number(number) * { K: 1, '': 1024, M: 1024, G: 1024 ** 2, T: 1024 ** 3 }[unit as 'K'] * factor ** growths;
  return `${Math.ceil(kilobytes / 1024)}M`;
}

/** The beginning of the comment of all jobs that train a directory: by it they are found where their number got lost. */
export function commentOf(directory: string): string {
  return `distillery:${createHash('sha256').update(realpathSync(directory)).digest('hex').slice(0, 16)}`;
}
