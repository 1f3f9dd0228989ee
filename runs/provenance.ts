/** The provenance of a result: command, code, versions and machine. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, realpathSync } from 'node:fs';
import { arch, availableParallelism, cpus, hostname, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { version as onnxruntime } from 'onnxruntime-node/package.json';
import { reading } from '../utils/files';
import { packageVersion } from '../utils/version';

export interface RunDescription {
  command: readonly string[];
  /** Version of this package. */
  version: string;
  /** Commit of its repository; null outside of a repository or without git. */
  commit: string | null;
  /** Whether a tracked file differs from the commit; null without a commit. */
  dirty: boolean | null;
  node: string;
  onnxruntime: string;
  os: string;
  cpu: string;
  cores: number;
  /** Bytes. */
  memory: number;
  host: string;
  /** The Slurm job that this process runs in; absent outside of Slurm. */
  slurm_job?: string;
  /** The job of Ray that a search has submitted this process as. */
  ray_job?: string;
  /** ISO 8601. */
  started: string;
}

/** Describes this process and its machine. The rest of the environment is omitted, as it may hold secrets. */
export function describeRun(argv: readonly string[]): RunDescription {
  const { SLURM_JOB_ID: slurmJob, DISTILLERY_JOB: rayJob } = process.env;
  return {
    command: argv,
    version: packageVersion,
    ...codeState(join(__dirname, '..')),
    node: process.versions.node,
    onnxruntime,
    os: `${type()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: totalmem(),
    host: hostname(),
    ...(slurmJob !== undefined && { slurm_job: slurmJob }),
    ...(rayJob !== undefined && { ray_job: rayJob }),
    started: new Date().toISOString(),
  };
}

/** The SHA-256 of a file, in hexadecimal digits; throws a UserError that names the file if it cannot be read. */
export function digestOfFile(path: string): string {
  return reading(path, () => {
    const hash = createHash('sha256');
    const chunk = Buffer.alloc(1 << 20);
    const file = openSync(path, 'r');
    try {
      for (let count; (count = readSync(file, chunk)) > 0;) hash.update(chunk.subarray(0, count));
    } finally {
      closeSync(file);
    }
    return hash.digest('hex');
  });
}

/** The checked-out commit at `root`, if that is the top of a repository; git is looked for on the PATH of `env`. */
export function codeState(root: string, env = process.env): Pick<RunDescription, 'commit' | 'dirty'> {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    if (realpathSync(git('rev-parse', '--show-toplevel')) !== realpathSync(root)) return { commit: null, dirty: null };
    const commit = git('rev-parse', '--verify', 'HEAD');
    return { commit, dirty: git('status', '--porcelain', '--untracked-files=no') !== '' };
  } catch {
    return { commit: null, dirty: null };
  }
}
