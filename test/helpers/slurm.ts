/**
 * A Slurm for tests, with all its state in one folder; it needs root and Debian's slurm-wlm. Its nodes are namespaces of this
 * machine with a host name, process numbers, machine id and boot id of their own: killing one is a power cut.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const namespaces = ['--uts', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

export const hasSlurm =
  existsSync('/usr/sbin/slurmctld') &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', [...namespaces, 'true']).status === 0;

export interface ClusterOptions {
  readonly nodes?: number;
  /** CPUs of each node; they need not be there. */
  readonly cpus?: number;
  /** Further lines of slurm.conf. */
  readonly lines?: readonly string[];
}

const host = hostname().split('.')[0]!;

const configuration = (directory: string, { cpus = 8, lines = [] }: ClusterOptions, [port, ...ports]: number[]) => `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation=${directory}/state
SlurmdSpoolDir=${directory}/spool.%n
SlurmctldPidFile=${directory}/slurmctld.pid
SlurmdPidFile=${directory}/%n.pid
SlurmctldLogFile=${directory}/slurmctld.log
SlurmdLogFile=${directory}/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=2
MessageTimeout=2
${ports.map((port, i) => `NodeName=node${i + 1} NodeAddr=127.0.0.1 Port=${port} CPUs=${cpus} State=UNKNOWN`).join('\n')}
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes=ALL MaxTime=1 State=UP
${lines.join('\n')}
`;

export class TestCluster {
  private controller: ChildProcess | undefined;
  private readonly nodes = new Map<string, ChildProcess>();
  private boots = 0;

  private constructor(private readonly directory: string) {}

  private get file(): string {
    return join(this.directory, 'slurm.conf');
  }

  /** Starts a cluster for commands with SLURM_CONF, which is set: of several clusters it names the last. */
  static async start(directory: string, options: ClusterOptions = {}): Promise<TestCluster> {
    const { nodes = 1 } = options;
    const cluster = new TestCluster(directory);
    mkdirSync(join(directory, 'state'), { recursive: true });
    writeFileSync(cluster.file, configuration(directory, options, await freePorts(nodes + 1)));
    process.env.SLURM_CONF = cluster.file;
    cluster.startController();
    for (let i = 1; i <= nodes; i++) cluster.startNode(`node${i}`);
    if (await cluster.isIdle(nodes)) return cluster;
    const logs = ['slurmctld.log', 'node1.log'].map((name) => join(directory, name)).filter((log) => existsSync(log));
    await cluster.stop();
    throw new Error(`TestCluster: no idle node\n${logs.map((log) => readFileSync(log, 'utf8')).join('\n')}`);
  }

  get nodeNames(): string[] {
    return [...this.nodes.keys()];
  }

  /** The process of `slurmctld`, or of the slurmd of a node, with which all others of the node die; undefined: it does not run. */
  daemon(name: string): number | undefined {
    const child = name === 'slurmctld' ? this.controller : this.nodes.get(name);
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return undefined;
    if (name === 'slurmctld') return child.pid;
    const inside = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
    return inside === '' ? undefined : Number(inside);
  }

  startController(): void {
    this.controller = spawn('/usr/sbin/slurmctld', ['-D', '-f', this.file], { stdio: 'ignore' });
  }

  /** An orderly end: where the controller is killed it forgets what happened in the last seconds. */
  async stopController(): Promise<void> {
    await end(this.controller, 'SIGTERM');
  }

  startNode(name: string): void {
    const boot = join(this.directory, `${name}.boot`);
    const machine = join(this.directory, `${name}.machine`);
    const digits = String(++this.boots).padStart(12, '0');
    writeFileSync(boot, `00000000-0000-4000-8000-${digits}\n`);
    writeFileSync(machine, `${Buffer.from(name).toString('hex').padEnd(32, '0')}\n`);
    mkdirSync(join(this.directory, `spool.${name}`), { recursive: true });
    const script =
      'hostname "$1"; mount --bind "$2" /proc/sys/kernel/random/boot_id; ' +
      'if [ -e /etc/machine-id ]; then mount --bind "$3" /etc/machine-id; fi; exec /usr/sbin/slurmd -D -N "$1" -f "$4"';
    const args = [...namespaces, 'sh', '-c', script, 'sh', name, boot, machine, this.file];
    this.nodes.set(name, spawn('unshare', args, { stdio: 'ignore' }));
  }

  /** All its processes die at once; Slurm learns of it at once, and not only after SlurmdTimeout. */
  async killNode(name: string): Promise<void> {
    await end(this.nodes.get(name), 'SIGKILL');
    slurm('scontrol', 'update', `NodeName=${name}`, 'State=DOWN', 'Reason=test');
  }

  /** Kills a node and starts it again; one that comes back within seconds would not tell which jobs it has lost. */
  async restartNode(name: string): Promise<void> {
    await this.killNode(name);
    this.startNode(name);
    await wait(1000);
    slurm('scontrol', 'update', `NodeName=${name}`, 'State=RESUME');
  }

  async isIdle(nodes: number): Promise<boolean> {
    return until(() => slurm('sinfo', '-h', '-N', '-p', 'debug', '-o', '%T') === Array(nodes).fill('idle').join('\n'));
  }

  async stop(): Promise<void> {
    for (const process of [...this.nodes.values(), this.controller]) await end(process, 'SIGKILL');
    delete process.env.SLURM_CONF;
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
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

/** Lets the jobs begin that wait out Slurm's two minutes after a requeue, or are held since their node did not answer. */
export function releaseRequeued(): void {
  for (const line of slurm('squeue', '-h', '-t', 'PENDING', '-O', 'JobID:20,Reason:40').split('\n')) {
    const [id, reason] = line.trim().split(/\s+/);
    if (reason === 'BeginTime') slurm('scontrol', 'update', `JobId=${id}`, 'StartTime=now');
    // `launch failed requeued held`
    if (reason === 'launch') slurm('scontrol', 'release', id!);
  }
}

/** Has a cluster refuse jobs of a partition beyond so many, in the words of a QOS; slurm.conf needs `JobSubmitPlugins=lua`. */
export function submitLimit(directory: string, partition: string, most: number): void {
  writeFileSync(
    join(directory, 'job_submit.lua'),
    `-- What slurmctld tells of jobs is a moment old: those that were let in just now are counted here.
local recent = {}
function slurm_job_submit(job, partitions, user)
  if job.partition ~= "${partition}" then return slurm.SUCCESS end
  local count, now = 0, os.time()
  for _, other in pairs(slurm.jobs) do
    if other.partition == "${partition}" and other.job_state <= 2 and other.submit_time < now - 2 then count = count + 1 end
  end
  for _, time in pairs(recent) do
    if time >= now - 2 then count = count + 1 end
  end
  if count >= ${most} then
    slurm.log_user("QOSMaxSubmitJobPerUserLimit")
    return 2050
  end
  table.insert(recent, now)
  return slurm.SUCCESS
end
function slurm_job_modify() return slurm.SUCCESS end
return slurm.SUCCESS
`,
  );
}

/** The processes of this machine, in whatever namespace, that train a directory. */
export function trainersOf(directory: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const commandOf = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    } catch {
      return [];
    }
  };
  return pids.filter((pid) => commandOf(pid).includes('--model_dir') && commandOf(pid).includes(directory)).map(Number);
}
