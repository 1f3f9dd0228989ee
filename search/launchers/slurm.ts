/** Children as batch jobs of a cluster (Slurm: sbatch, squeue, scancel). The directories must be seen by all its nodes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { searchFiles } from '../../runs/files';
import { lockOwner, removeLockOf } from '../../runs/lock';
import { readText, writeFileAtomic } from '../../utils/files';
import type { SlurmSettings } from '../settings/settings';
import type { Job, Launcher } from './launcher';
import { newLog } from './launcher_log';
import { adopt } from './local';
import { Full, type Cluster } from './slurm_cluster';
import { SlurmJob, type Submission } from './slurm_job';
import { commentOf, memoryAfter, sbatchOptions, writeScript } from './slurm_options';
import { FORGOTTEN, isOver, stateOfOwn } from './slurm_states';

/** Submits `<trainer> --model_dir <directory>`, from this working directory, with one job a child. */
export function slurmLauncher(
  trainer: readonly string[],
  settings: SlurmSettings,
  threads: number,
  cluster: Cluster,
): Launcher {
  /** One at a time submits: who finds no place waits, and the others behind it. */
  const turn = pLimit(1);
  /** How often the memory that a child asked for was too little. */
  const growths = new Map<string, number>();

  const submit = async (directory: string) => {
    newLog(directory);
    const options = sbatchOptions(directory, settings, threads, growths.get(directory));
    const args = [...options, writeScript(directory, settings), ...trainer, '--model_dir', directory];
    const id = await cluster.submit(args, `${commentOf(directory)}:${Date.now().toString(36)}`);
    writeFileAtomic(join(directory, searchFiles.job), id);
    return id;
  };

  /** Jobs that may work on a directory: the one on file, the owner of the lock, one that was submitted by a search that died then. */
  const candidates = (directory: string, own: ReadonlyMap<string, string>) => {
    const path = join(directory, searchFiles.job);
    const comment = commentOf(directory);
    const ids = [
      existsSync(path) ? readText(path) : undefined,
      lockOwner(directory)?.job,
      ...[...own].flatMap(([id, other]) => (other.startsWith(comment) ? [id] : [])),
    ];
    return new Set(ids.filter((id) => id !== undefined && /^\d+$/.test(id)) as string[]);
  };

  /** The job; when it has found too little memory, the next one of this directory asks for more. */
  const learning = (job: Job, directory: string): Job => ({
    status: () => job.status(),
    signal: (signal) => job.signal(signal),
    ended: job.ended.then((ending) => {
      if (!ending.isOutOfMemory) return ending;
      const count = (growths.get(directory) ?? 0) + 1;
      growths.set(directory, count);
      const memory = memoryAfter(settings, count);
      const next = memory === undefined ? 'set "slurm.memory" to ask for more' : `the next start asks for ${memory}`;
      return { ...ending, how: `${ending.how}; ${next}` };
    }),
  });

  return {
    launch(directory) {
      const start: Submission = (isUnwanted, show) =>
        turn(async () => {
          while (!isUnwanted()) {
            try {
              return await submit(directory);
            } catch (error) {
              if (!(error instanceof Full)) throw error;
              show(`waiting for a free slot (${error.message})`);
              await cluster.waitForPlace(isUnwanted);
            }
          }
          return undefined;
        });
      return Promise.resolve(learning(new SlurmJob(directory, commentOf(directory), start, cluster), directory));
    },
    async resume(directory) {
      const own = await cluster.ownJobs();
      const comment = commentOf(directory);
      for (const id of candidates(directory, own)) {
        const state = stateOfOwn(await cluster.look(id, true), comment);
        if (!isOver(state) && own.has(id)) return learning(new SlurmJob(directory, comment, id, cluster), directory);
        cluster.forget(id);
        // What Slurm says counts, not what the lock says. A job of nobody here may be one of another cluster.
        if (isOver(state) && state !== FORGOTTEN) removeLockOf(directory, id);
      }
      return adopt(directory, cluster.pollMs);
    },
  };
}
