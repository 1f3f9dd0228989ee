/** Children as jobs of a Ray cluster (Ray Jobs by REST). The directories must be seen by all its nodes. */
import { lockOwner, removeLockOf } from '../../runs/lock';
import { isFile, readText, writeFileAtomic } from '../../utils/files';
import type { RaySettings } from '../settings/settings';
import type { Launcher } from './launcher';
import { newLog } from './launcher_log';
import { adopt } from './local';
import { isOver, type RayCluster } from './ray_cluster';
import { RayJob } from './ray_job';
import { jobFile, prefixOf, rayRequest } from './ray_options';

/** Submits `<trainer> --model_dir <directory>`, from this working directory, with one job a child. */
export function rayLauncher(
  trainer: readonly string[],
  settings: RaySettings,
  threads: number,
  cluster: RayCluster,
): Launcher {
  const submit = async (directory: string) => {
    newLog(directory);
    const id = `${prefixOf(directory)}${Date.now().toString(36)}`;
    writeFileAtomic(jobFile(directory), id);
    await cluster.submit(rayRequest(id, directory, trainer, settings, threads));
    return id;
  };
  const jobOf = (directory: string, id: string) => new RayJob(directory, id, () => submit(directory), cluster);

  return {
    async launch(directory) {
      return jobOf(directory, await submit(directory));
    },
    async resume(directory) {
      const prefix = prefixOf(directory);
      const own = [...(await cluster.jobs(true))].filter(([id]) => id.startsWith(prefix));
      const wanted = isFile(jobFile(directory)) ? readText(jobFile(directory)) : undefined;
      // One that waits without being on file ends as soon as it begins.
      const left = own.find(([id, { status }]) => status === 'RUNNING' || (status === 'PENDING' && id === wanted));
      if (left !== undefined) return jobOf(directory, left[0]);
      const owner = lockOwner(directory)?.job;
      const last = own.find(([id]) => id === owner);
      // What Ray says counts, not what the lock says.
      if (last !== undefined && isOver(last[1])) removeLockOf(directory, last[0]);
      return adopt(directory, cluster.pollMs);
    },
  };
}
