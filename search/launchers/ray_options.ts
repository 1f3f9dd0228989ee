/** What Ray is given for a trial: the command, resources, and how it is told from all others. */
import { join, resolve } from 'node:path';
import { searchFiles } from '../../runs/files';
import type { RaySettings } from '../settings/settings';
import { commentOf } from './slurm_options';

/** `JobSubmitRequest` of Ray. */
export interface RayRequest {
  readonly submission_id: string;
  readonly entrypoint: string;
  readonly runtime_env: { readonly env_vars: Readonly<Record<string, string>> };
  readonly metadata: Readonly<Record<string, string>>;
  readonly entrypoint_num_cpus: number;
  readonly entrypoint_num_gpus?: number;
  readonly entrypoint_memory?: number;
  readonly entrypoint_resources?: Readonly<Record<string, number>>;
}

/** Seconds that a trainer has to save when it is told to end; Ray itself gives it three. */
const STOP_SECONDS = '300';

/** The beginning of the IDs of all jobs that train a directory. */
export function prefixOf(directory: string): string {
  return `${commentOf(directory).replace(':', '-')}-`;
}

/** `threads`: CPUs where the settings name none. */
export function rayRequest(
  id: string,
  directory: string,
  trainer: readonly string[],
  settings: RaySettings,
  threads: number,
): RayRequest {
  const { cpus = threads, gpus, memory, resources, env } = settings;
  return {
    submission_id: id,
    entrypoint: entrypointOf(id, directory, trainer),
    runtime_env: { env_vars: { RAY_JOB_STOP_WAIT_TIME_S: STOP_SECONDS, ...env, DISTILLERY_JOB: id } },
    metadata: { directory: resolve(directory) },
    entrypoint_num_cpus: cpus,
    ...(gpus !== undefined && { entrypoint_num_gpus: gpus }),
    ...(memory !== undefined && { entrypoint_memory: bytesOf(memory) }),
    ...(resources !== undefined && { entrypoint_resources: resources }),
  };
}

/**
 * The line that Ray gives to /bin/sh. A job that was stopped while it waited starts nevertheless, once there is a place for it: so
 * the trainer takes the place of the shell only while the file in the directory still has the ID.
 */
function entrypointOf(id: string, directory: string, trainer: readonly string[]): string {
  const here = (file: string) => quoted(resolve(directory, file));
  const command = [...trainer, '--model_dir', directory].map(quoted).join(' ');
  const isWanted = `[ "$(cat ${here(searchFiles.rayJob)})" = ${quoted(id)} ]`;
  return `cd ${quoted(process.cwd())} && ${isWanted} && exec ${command} 2>>${here(searchFiles.launcherLog)}`;
}

/** A word of a POSIX shell, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function bytesOf(memory: string): number {
  const units = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
  return Number(memory.slice(0, -1)) * units[memory.at(-1) as keyof typeof units];
}

/** The file with the ID of the job that may train a directory. */
export function jobFile(directory: string): string {
  return join(directory, searchFiles.rayJob);
}
