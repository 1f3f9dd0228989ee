/** Ray Jobs, played and real. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { requireRay } from '../../search/launchers/ray_cluster';
import type { RayRequest } from '../../search/launchers/ray_options';

interface Job {
  readonly request: RayRequest;
  status: string;
  child?: ChildProcess;
  isStopped: boolean;
  readonly more: Record<string, unknown>;
}

/** A cluster of so many CPUs that answers as Ray 2.60 does and gives commands to a shell, as Ray does. */
export class PlayedRay {
  readonly jobs = new Map<string, Job>();
  /** Answers requests with this in place of what they ask for. */
  trouble: { status: number; text: string } | undefined;
  /** Loses the answer to the next submission. */
  losesAnswer = false;
  private readonly server = createServer((request, response) => {
    void this.answer(request).then(({ status, text }) => {
      if (status === 0) response.destroy();
      else response.writeHead(status).end(text);
    });
  });

  constructor(private readonly cpus: number) {}

  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** No longer listens; jobs go on. */
  async pause(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async stop(): Promise<void> {
    for (const { child } of this.jobs.values()) child?.kill('SIGKILL');
    await this.pause();
  }

  /** Ends a job that waits as Ray does after a quarter of an hour. */
  giveUp(id: string): void {
    const job = this.jobs.get(id)!;
    job.status = 'FAILED';
    Object.assign(job.more, {
      error_type: 'JOB_SUPERVISOR_ACTOR_START_TIMEOUT',
      message: 'Job supervisor actor failed',
    });
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; text: string }> {
    if (this.trouble) return this.trouble;
    const { method, url = '', headers } = request;
    const json = (value: unknown) => ({ status: 200, text: JSON.stringify(value) });
    const isOfBrowser = Object.keys(headers).some((name) => name.startsWith('sec-fetch-') || name === 'origin');
    if (method === 'POST' && isOfBrowser)
      return { status: 405, text: "'POST' method not allowed for browser traffic." };
    if (url === '/api/version') return json({ version: '4', ray_version: '2.60.0' });
    if (url === '/api/jobs/') return method === 'POST' ? this.submit(await text(request)) : json(this.list());
    const [, id = '', stop] = /^\/api\/jobs\/([^/]+)(\/stop)?$/.exec(url) ?? [];
    const job = this.jobs.get(id);
    if (job === undefined) return { status: 404, text: `Job ${id} does not exist` };
    if (stop === undefined) return json(this.list().find(({ submission_id: one }) => one === id));
    job.isStopped = true;
    job.child?.kill('SIGTERM');
    return json({ stopped: ['PENDING', 'RUNNING'].includes(job.status) });
  }

  private submit(body: string): { status: number; text: string } {
    const request = JSON.parse(body) as RayRequest;
    const { submission_id: id } = request;
    if (this.jobs.has(id)) {
      return {
        status: 400,
        text: `Traceback …\nValueError: Job with submission_id ${id} already exists. Please use …`,
      };
    }
    this.jobs.set(id, { request, status: 'PENDING', isStopped: false, more: {} });
    setTimeout(() => this.schedule(), 20);
    if (!this.losesAnswer) return { status: 200, text: JSON.stringify({ job_id: id, submission_id: id }) };
    this.losesAnswer = false;
    return { status: 0, text: '' };
  }

  private list(): Record<string, unknown>[] {
    return [...this.jobs].map(([id, { status, more }]) => ({ submission_id: id, status, message: '', ...more }));
  }

  private schedule(): void {
    const running = [...this.jobs.values()].filter(({ status }) => status === 'RUNNING');
    let free = this.cpus - running.reduce((sum, { request }) => sum + request.entrypoint_num_cpus, 0);
    for (const job of this.jobs.values()) {
      const { entrypoint, entrypoint_num_cpus: cpus, runtime_env: env } = job.request;
      if (job.status !== 'PENDING' || cpus > free) continue;
      free -= cpus;
      job.status = 'RUNNING';
      const child = spawn(entrypoint, {
        shell: true,
        detached: true,
        stdio: 'ignore',
        env: { ...process.env, ...env.env_vars },
      });
      job.child = child;
      // One that was stopped while it waited begins nevertheless.
      if (job.isStopped) child.kill('SIGTERM');
      child.on('exit', (code, signal) => {
        job.status = job.isStopped ? 'STOPPED' : code === 0 ? 'SUCCEEDED' : 'FAILED';
        if (job.status === 'FAILED') job.more.driver_exit_code = signal === 'SIGKILL' ? -9 : code;
        this.schedule();
      });
    }
  }
}

const program = process.env.RAY ?? 'ray';
export const hasRay = spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

// Those from 10002 to 19999 are the workers'.
const [port, dashboard] = [26_379, 28_265];

/** Starts what stays until it is told to end, with all that it begins in a process group of its own. */
function startRay(...args: string[]): ChildProcess {
  return spawn(program, ['start', '--block', '--disable-usage-stats', ...args], { stdio: 'ignore', detached: true });
}

/** A cluster of its own, in a folder with a short path: its sockets lie there. */
export class RealRay {
  private readonly nodes: ChildProcess[] = [];

  private constructor(
    readonly address: string,
    private readonly head: ChildProcess,
  ) {}

  static async start(folder: string, cpus: number): Promise<RealRay> {
    const address = `http://127.0.0.1:${dashboard}`;
    const options = [
      ...['--head', `--num-cpus=${cpus}`, `--temp-dir=${join(folder, 'ray')}`],
      ...[`--port=${port}`, '--dashboard-host=127.0.0.1', `--dashboard-port=${dashboard}`],
    ];
    const head = startRay(...options);
    for (;;) {
      if (head.exitCode !== null) throw new Error(`ray start: exit code ${head.exitCode}`);
      try {
        await requireRay(address);
        return new RealRay(address, head);
      } catch {
        await wait(500);
      }
    }
  }

  /** A further node, with one of a resource. */
  addNode(resource: string): ChildProcess {
    const node = startRay(`--address=127.0.0.1:${port}`, '--num-cpus=2', `--resources={"${resource}": 1}`);
    this.nodes.push(node);
    return node;
  }

  /** Ends all nodes with all processes that they have begun. */
  async stop(): Promise<void> {
    for (const node of [...this.nodes, this.head]) {
      if (node.exitCode !== null || node.signalCode !== null) continue;
      const ended = new Promise((resolve) => node.on('exit', resolve));
      node.kill('SIGTERM');
      await ended;
    }
  }
}
