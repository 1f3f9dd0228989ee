/** train.ts as a process that is killed, interrupted, started twice, or short of disk, and then started again. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { lockState } from '../runs/lock';
import { Random } from '../utils/random';
import type { FaultName } from './helpers/faults';
import { experiment, results, type Ended } from './helpers/train';

const root = join(__dirname, '..');
const KILLS = process.env.SOAK ? 100 : 5;

const quick = {
  model_version: 'mlp',
  hidden_sizes: [8],
  dataset: { name: 'shapes', train: 200, test: 50 },
  batch_size: 16,
  num_epochs: 8,
  threads: 1,
};

/** When a process gets a signal: at an operation on its directory, or so long after it has said something. */
type Moment = { readonly fault: readonly [at: number, FaultName] } | { readonly after: string; readonly ms: number };

describe('a process of train.ts', function () {
  this.timeout(process.env.SOAK ? 60 * 60_000 : 180_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-kill-'));
  const undisturbed = experiment(join(scratch, 'undisturbed'), quick);
  after(() => rmSync(scratch, { recursive: true }));

  /** Starts it, sends it signals at a moment, and waits until it is gone. */
  async function start(path: string, moment?: Moment, signals: NodeJS.Signals[] = ['SIGKILL']): Promise<Ended> {
    const isFault = moment !== undefined && 'fault' in moment;
    const preload = isFault ? ['-r', join(__dirname, 'helpers', 'faults_preload.ts')] : [];
    const child = spawn(
      process.execPath,
      ['-r', 'ts-node/register', ...preload, join(root, 'train.ts'), '--model_dir', path],
      { cwd: root, env: { ...process.env, ...(isFault && { FAULTS: JSON.stringify([path, ...moment.fault]) }) } },
    );
    const said = { stdout: '', stderr: '' };
    let isDue = moment !== undefined && !isFault;
    const look = () => {
      if (!isDue || !said.stdout.includes((moment as { after: string }).after)) return;
      isDue = false;
      void wait((moment as { ms: number }).ms).then(() => signals.forEach((one) => child.kill(one)));
    };
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.stdout += text;
      look();
    });
    look();
    const [exitCode, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return { exitCode, signal, ...said };
  }

  /** Starts it until it ends by itself. */
  async function finish(path: string): Promise<void> {
    const { exitCode, stderr } = await start(path);
    expect(stderr).to.equal('');
    expect(exitCode).to.equal(0);
    expect(results(path)).to.deep.equal(results(undisturbed));
    expect(existsSync(join(path, '.lock'))).to.equal(false);
  }

  before(() => finish(undisturbed));
  const directory = (name: string) => experiment(join(scratch, name), quick);

  it(`that is killed at ${KILLS} random moments ends with the same bytes, each epoch once`, async () => {
    const random = new Random(230, 'kills');
    const epochs = Array.from({ length: quick.num_epochs }, (_, i) => i + 1);
    const momentOf = (kill: number): Moment => {
      const [kind, share, torn] = [0, 1, 2].map((i) => random.uniform(i, kill)) as [number, number, number];
      // While it starts and loads; in a step, or while it writes; at an operation on its directory.
      if (kind < 0.2) return { after: '', ms: 1000 * share };
      if (kind < 0.5) return { after: 'Epoch ', ms: 300 * share };
      return { fault: [Math.floor(300 * share), torn < 0.4 ? 'killed before' : 'killed within'] };
    };
    for (let kills = 0, run = 0; kills < KILLS; run++) {
      const path = directory(`killed_${run}`);
      for (let isOver = false; !isOver;) {
        const { exitCode, signal, stderr } = await start(path, kills < KILLS ? momentOf(kills) : undefined);
        expect(stderr).to.equal('');
        isOver = exitCode === 0;
        if (!isOver) expect(signal).to.equal('SIGKILL');
        kills += isOver ? 0 : 1;
      }
      expect(results(path)).to.deep.equal(results(undisturbed));
      const lines = readFileSync(join(path, 'metrics.jsonl'), 'utf8').split('\n').slice(0, -1);
      expect(lines.map((line) => (JSON.parse(line) as { epoch: number }).epoch)).to.deep.equal(epochs);
    }
  });

  it('that gets SIGTERM saves, and goes on', async () => {
    const path = directory('terminated');
    const { exitCode, stdout } = await start(path, { after: 'Epoch 2/', ms: 0 }, ['SIGTERM']);
    expect(exitCode).to.equal(143);
    expect(stdout).to.match(/\nInterrupted in epoch \d+ after step \d+; run the same command to resume\n$/);
    await finish(path);
  });

  it('whose terminal is closed saves, however often it is told, and goes on', async () => {
    const path = directory('hung_up');
    const { exitCode, stdout } = await start(path, { after: 'Epoch 2/', ms: 0 }, ['SIGHUP', 'SIGHUP']);
    expect(exitCode).to.equal(129);
    expect(stdout).to.match(/\nInterrupted in epoch \d+ after step \d+; run the same command to resume\n$/);
    await finish(path);
  });

  it('that writes to a terminal as it is closed does the same', async function () {
    if (spawnSync('script', ['--version']).error) return this.skip();
    const inTerminal = async (path: string, command: string) => {
      const terminal = spawn('script', ['-qc', command, '/dev/null'], { cwd: root });
      const log = join(path, 'train.log');
      while (!existsSync(log) || !readFileSync(log, 'utf8').includes('Epoch 1/')) await wait(10);
      terminal.kill('SIGKILL');
      while (lockState(path) === 'held') await wait(10);
      return readFileSync(log, 'utf8');
    };
    const run = (path: string) => `${process.execPath} -r ts-node/register train.ts --model_dir ${path}`;
    const path = directory('terminal');
    const log = await inTerminal(path, `exec ${run(path)}`);
    expect(log).to.match(/:WARNING: Interrupted in epoch \d+ after step .*\n$/);
    await finish(path);

    // A shell that stays has no signal sent to what it runs.
    const other = directory('terminal_without_signal');
    const code = join(other, 'exit_code');
    const rest = await inTerminal(other, `trap '' HUP; ${run(other)}; echo $? > ${code}`);
    expect(rest).to.match(/:INFO: - Test metrics of epoch \d: .*\n$/);
    while (!existsSync(code) || readFileSync(code, 'utf8') === '') await wait(10);
    expect(readFileSync(code, 'utf8')).to.equal('0\n');
  });

  it('that gets a second signal ends at once, and goes on', async () => {
    const path = directory('interrupted_twice');
    const { exitCode, stdout } = await start(path, { after: 'Epoch 2/', ms: 0 }, ['SIGINT', 'SIGTERM']);
    expect(exitCode).to.be.oneOf([130, 143]);
    expect(stdout).not.to.contain('Interrupted');
    await finish(path);
  });

  it('has its directory for itself, also where several take over from one that was killed', async () => {
    const path = directory('several');
    expect((await start(path, { after: 'Epoch 3/', ms: 0 })).signal).to.equal('SIGKILL');
    const all = await Promise.all([start(path), start(path), start(path)]);
    const refused = all.filter(({ exitCode }) => exitCode !== 0);
    // One that starts late may find that all is done.
    expect(refused).to.have.length.below(3);
    for (const { exitCode, stderr } of refused) {
      expect([exitCode, stderr].join()).to.match(/^1,error: [^\n]*: already in use by process \d+ on [^\n]*\n$/);
    }
    await finish(path);
  });

  it('says in one line that the disk is full, or read-only, and goes on when it is no more', async function () {
    const mounted = join(scratch, 'small_disk');
    mkdirSync(mounted);
    const mount = (...options: string[]) => execFileSync('mount', [...options, mounted], { stdio: 'ignore' });
    try {
      mount('-t', 'tmpfs', '-o', 'size=12m', 'tmpfs');
    } catch {
      return this.skip();
    }
    try {
      const path = experiment(join(mounted, 'run'), { ...quick, hidden_sizes: [150], optimizer: 'sgd' });
      const other = experiment(join(scratch, 'wide'), { ...quick, hidden_sizes: [150], optimizer: 'sgd' });
      expect((await start(other)).exitCode).to.equal(0);
      // There is room for the best weights, the last two checkpoints, and not for a third.
      const { exitCode, stderr } = await start(path);
      expect([exitCode, stderr].join()).to.match(/^1,error: [^\n]*: cannot be written: ENOSPC: [^\n]*\n$/);
      mount('-o', 'remount,ro');
      const again = await start(path);
      expect([again.exitCode, again.stderr].join()).to.match(/^1,error: [^\n]*: cannot be locked: EROFS: [^\n]*\n$/);
      mount('-o', 'remount,rw,size=100m');
      const last = await start(path);
      expect([last.exitCode, last.stderr].join()).to.equal('0,');
      expect(last.stdout).to.contain('\nResuming after epoch 2, step 0\n');
      expect(results(path)).to.deep.equal(results(other));
    } finally {
      execFileSync('umount', [mounted]);
    }
  });
});
