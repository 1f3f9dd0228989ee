/** A Slurm of one node for tests, with all its state in one folder; it needs root and Debian's slurm-wlm. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export const hasSlurm = existsSync('/usr/sbin/slurmctld') && process.getuid?.() === 0;

const host = hostname().split('.')[0]!;

const configuration = (directory: string, [controllerPort, nodePort]: readonly number[]) => `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${controllerPort}
SlurmdPort=${nodePort}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation=${directory}/state
SlurmdSpoolDir=${directory}/spool
SlurmctldPidFile=${directory}/slurmctld.pid
SlurmdPidFile=${directory}/slurmd.pid
SlurmctldLogFile=${directory}/slurmctld.log
SlurmdLogFile=${directory}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=2
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} State=UNKNOWN
PartitionName=debug Nodes=${host} Default=YES MaxTime=INFINITE State=UP
`;

/** Starts it, for commands with SLURM_CONF, which is set; resolves to what stops it. */
export async function startSlurm(directory: string): Promise<() => Promise<void>> {
  for (const folder of ['state', 'spool']) mkdirSync(join(directory, folder), { recursive: true });
  const file = join(directory, 'slurm.conf');
  writeFileSync(file, configuration(directory, await freePorts(2)));
  process.env.SLURM_CONF = file;
  const stop = async () => {
    const files = ['slurmd', 'slurmctld']
      .map((name) => join(directory, `${name}.pid`))
      .filter((file) => existsSync(file));
    for (const file of files) process.kill(Number(readFileSync(file, 'utf8')), 'SIGTERM');
    await until(() => !files.some((file) => existsSync(file)));
    delete process.env.SLURM_CONF;
  };
  for (const [program, ...args] of [['slurmctld', '-c'], ['slurmd']]) spawnSync(`/usr/sbin/${program}`, args);
  if (await until(() => slurm('sinfo', '-h', '-o', '%T') === 'idle')) return stop;
  await stop();
  const logs = ['slurmctld.log', 'slurmd.log'].map((name) => join(directory, name)).filter((file) => existsSync(file));
  throw new Error(
    `startSlurm: the node is not idle after ten seconds\n${logs.map((log) => readFileSync(log, 'utf8')).join('\n')}`,
  );
}

/** Ports of this machine that nothing listens on. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Whether a condition comes true within ten seconds. */
async function until(condition: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (condition()) return true;
    await wait(100);
  }
  return false;
}

/** What a command of Slurm prints; '' where it fails. */
export function slurm(program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
