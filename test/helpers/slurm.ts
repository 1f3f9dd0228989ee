/** A Slurm of one node for tests, with all its state in one folder; it needs root and Debian's slurm-wlm. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';

export const hasSlurm = existsSync('/usr/sbin/slurmctld') && process.getuid?.() === 0;

const host = hostname().split('.')[0]!;

const configuration = (directory: string) => `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=16827
SlurmdPort=16828
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

/** Starts it, for commands with SLURM_CONF, which is set; returns what stops it. */
export function startSlurm(directory: string): () => void {
  for (const folder of ['state', 'spool']) mkdirSync(join(directory, folder), { recursive: true });
  const file = join(directory, 'slurm.conf');
  writeFileSync(file, configuration(directory));
  process.env.SLURM_CONF = file;
  execFileSync('/usr/sbin/slurmctld', ['-c'], { stdio: 'ignore' });
  execFileSync('/usr/sbin/slurmd', { stdio: 'ignore' });
  for (let tries = 0; tries < 100 && slurm('sinfo', '-h', '-o', '%T') !== 'idle'; tries++) {
    execFileSync('sleep', ['0.1']);
  }
  return () => {
    const files = ['slurmd', 'slurmctld']
      .map((name) => join(directory, `${name}.pid`))
      .filter((file) => existsSync(file));
    for (const file of files) process.kill(Number(readFileSync(file, 'utf8')), 'SIGTERM');
    for (let tries = 0; tries < 100 && files.some((file) => existsSync(file)); tries++) execFileSync('sleep', ['0.1']);
    delete process.env.SLURM_CONF;
  };
}

/** What a command of Slurm prints; '' where it fails. */
export function slurm(program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
