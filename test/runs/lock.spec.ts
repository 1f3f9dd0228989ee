import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { acquireLock, lockHolder, lockOwner, lockState, removeLockOf, SILENCE_SECONDS } from '../../runs/lock';
import { UserError } from '../../utils/errors';

const root = join(__dirname, '..', '..');
const linux = process.platform === 'linux';

/** Number of a process that has ended. */
const endedPid = () => spawnSync(process.execPath, ['--version']).pid;

const lockOf = (change: object) =>
  JSON.stringify({ pid: process.pid, host: hostname(), started: null, since: '2020-01-01T00:00:00.000Z', ...change });

const children: ChildProcess[] = [];

/** A child that runs `body`, with `lock` being runs/lock and `directory` the given one. */
function startChild(body: string, directory: string): ChildProcess {
  const script = `
    require('ts-node/register');
    const fs = require('node:fs');
    const lock = require('./runs/lock');
    const directory = process.argv[1];
    ${body}
  `;
  const child = spawn(process.execPath, ['-e', script, directory], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

/** The next line of a child's stdout. */
async function lineFrom(child: ChildProcess): Promise<string> {
  const lines = createInterface(child.stdout!);
  const [line] = (await once(lines, 'line')) as [string];
  lines.close();
  return line;
}

describe('lock', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'lock-'))));
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  });

  const writeLock = (content: string, path = directory) => writeFileSync(join(path, '.lock'), content);

  it('is held from acquiring to releasing, and leaves nothing behind', () => {
    expect(lockState(directory)).to.equal('free');
    const lock = acquireLock(directory);
    expect(lockState(directory)).to.equal('held');
    expect(readdirSync(directory)).to.deep.equal(['.lock']);
    const owner = JSON.parse(readFileSync(join(directory, '.lock'), 'utf8')) as Record<string, unknown>;
    expect(owner).to.include({ pid: process.pid, host: hostname() });
    lock.release();
    expect(lockState(directory)).to.equal('free');
    expect(readdirSync(directory)).to.deep.equal([]);
    acquireLock(directory).release();
  });

  it('refuses a second owner with a line that names the first', () => {
    acquireLock(directory);
    const line = `${directory}: already in use by process ${process.pid} on ${hostname()} (started 2`;
    expect(() => acquireLock(directory)).to.throw(UserError, line);
    expect(readdirSync(directory)).to.deep.equal(['.lock']);
  });

  it('is stale once its process has ended, and then taken over', () => {
    writeLock(lockOf({ pid: endedPid() }));
    expect(lockState(directory)).to.equal('stale');
    const lock = acquireLock(directory);
    expect(lockState(directory)).to.equal('held');
    expect(readdirSync(directory)).to.deep.equal(['.lock']);
    lock.release();
    expect(readdirSync(directory)).to.deep.equal([]);
  });

  it('is stale where its process number belongs to a later process now', function () {
    if (!linux) this.skip();
    writeLock(lockOf({ started: '1' }));
    expect(lockState(directory)).to.equal('stale');
    acquireLock(directory);
    const { started } = JSON.parse(readFileSync(join(directory, '.lock'), 'utf8')) as { started: string };
    // Field 22 of proc(5), of which the second may hold blanks.
    expect(readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ')[19]).to.equal(started);
  });

  it('is held where the start of its process is unknown', () => {
    writeLock(lockOf({ started: null }));
    expect(lockState(directory)).to.equal('held');
  });

  it('is stale where its process has ended and only waits to be collected', async function () {
    if (!linux) this.skip();
    // A process that replaces its shell, and so never collects the child that the shell has started.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const pid = Number(await lineFrom(parent));
      const until = async (isReached: () => boolean) => {
        while (!isReached()) await new Promise(setImmediate);
      };
      await until(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n');
      process.kill(pid);
      await until(() => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
      writeLock(lockOf({ pid }));
      expect(lockState(directory)).to.equal('stale');
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('is respected where it is of another host', () => {
    const content = lockOf({ pid: endedPid(), host: 'elsewhere' });
    writeLock(content);
    expect(lockState(directory)).to.equal('held');
    expect(() => acquireLock(directory)).to.throw(
      UserError,
      / on elsewhere \(started 2020-01-01T00:00:00.000Z\); if that process is gone, delete .*\.lock$/,
    );
    expect(readFileSync(join(directory, '.lock'), 'utf8')).to.equal(content);
  });

  describe('of another machine', () => {
    /** Another machine, or another container on this one. */
    const elsewhere = { host: 'elsewhere', machine: 'm', boot: 'b', pids: 'pid:[1]', heartbeat: 10 };
    /** Sets the time of the last heartbeat to that many seconds ago. */
    const silentFor = (seconds: number) => {
      const then = Date.now() / 1000 - seconds;
      utimesSync(join(directory, '.lock'), then, then);
    };
    const ownLock = () => {
      const lock = acquireLock(directory);
      const owner = lockOwner(directory)!;
      lock.release();
      return owner;
    };

    it('counts while it gives signs of life, and says until when', () => {
      writeLock(lockOf(elsewhere));
      silentFor(SILENCE_SECONDS - 30);
      expect(lockState(directory)).to.equal('held');
      expect(lockHolder(directory)).to.equal(undefined);
      const line =
        /on elsewhere \(started [^)]*\); its last heartbeat was 9\d s ago, after 120 s without one .* delete .*\.lock now$/;
      expect(() => acquireLock(directory)).to.throw(UserError, line);
    });

    it('is taken over once it gives none', () => {
      writeLock(lockOf(elsewhere));
      silentFor(SILENCE_SECONDS + 5);
      expect(lockState(directory)).to.equal('stale');
      acquireLock(directory);
      expect(lockOwner(directory)!.pid).to.equal(process.pid);
      expect(readdirSync(directory)).to.deep.equal(['.lock']);
    });

    it('goes by signs of life in another container of this boot, whose process numbers mean others', function () {
      const { boot } = ownLock();
      if (boot === undefined) this.skip();
      writeLock(lockOf({ ...elsewhere, boot }));
      expect(lockState(directory)).to.equal('held');
      silentFor(SILENCE_SECONDS + 5);
      expect(lockState(directory)).to.equal('stale');
    });

    it('is known for this machine under another host name', function () {
      const { machine, boot, pids } = ownLock();
      if (boot === undefined) this.skip();
      const here = { host: 'renamed', machine, boot, pids, heartbeat: 10 };
      writeLock(lockOf({ ...here, pid: endedPid() }));
      expect(lockState(directory)).to.equal('stale');
      writeLock(lockOf(here));
      silentFor(10 * SILENCE_SECONDS);
      expect([lockState(directory), lockHolder(directory)]).to.deep.equal(['held', process.pid]);
    });

    it('no longer counts where this machine was started anew since', function () {
      const { machine } = ownLock();
      if (machine === undefined) this.skip();
      writeLock(lockOf({ machine, boot: 'before', pids: 'pid:[1]', heartbeat: 10 }));
      expect(lockState(directory)).to.equal('stale');
    });

    it('no longer counts where Slurm has restarted its job, and counts where the job has two tasks', () => {
      const environment = { ...process.env };
      try {
        Object.assign(process.env, { SLURM_JOB_ID: '7', SLURM_RESTART_COUNT: '1' });
        writeLock(lockOf({ ...elsewhere, job: '7', restarts: 1 }));
        expect(lockState(directory)).to.equal('held');
        writeLock(lockOf({ ...elsewhere, job: '7', restarts: 0 }));
        expect(lockState(directory)).to.equal('stale');
        acquireLock(directory);
        expect(lockOwner(directory)).to.deep.include({ job: '7', restarts: 1 });
      } finally {
        process.env = environment;
      }
    });

    it('has the job of Ray that took it', () => {
      const before = process.env.DISTILLERY_JOB;
      process.env.DISTILLERY_JOB = 'distillery-1';
      try {
        acquireLock(directory);
        expect(lockOwner(directory)).to.deep.include({ job: 'distillery-1', restarts: 0 });
      } finally {
        if (before === undefined) delete process.env.DISTILLERY_JOB;
        else process.env.DISTILLERY_JOB = before;
      }
    });

    it('is removed for the job that left it, and for no other', () => {
      writeLock(lockOf({ ...elsewhere, job: '7', restarts: 0 }));
      removeLockOf(directory, '8');
      expect(lockState(directory)).to.equal('held');
      removeLockOf(directory, '7');
      expect(lockState(directory)).to.equal('free');
    });
  });

  it('gives signs of life for as long as it is held, and leaves a lock of others alone', async () => {
    const path = join(directory, '.lock');
    const old = new Date(0);
    const isRenewed = async () => {
      const until = performance.now() + 30_000;
      while (statSync(path).mtimeMs === 0 && performance.now() < until)
        await new Promise((done) => setTimeout(done, 10));
      return statSync(path).mtimeMs > 0;
    };
    const script = 'heartbeat.startHeartbeat(directory + "/.lock", "ours", 0.02); for (;;);';
    writeLock('ours');
    utimesSync(path, old, old);
    // The thread that works never gives timers a turn.
    startChild(`const heartbeat = require('./runs/heartbeat'); ${script}`, directory);
    expect(await isRenewed()).to.equal(true);
    expect(readFileSync(path, 'utf8')).to.equal('ours');
    writeLock('others');
    utimesSync(path, old, old);
    await new Promise((done) => setTimeout(done, 200));
    expect(statSync(path).mtimeMs).to.equal(0);
  });

  it('knows when it was taken over, and is made again where its file was deleted', () => {
    const lock = acquireLock(directory);
    lock.assertHeld();
    rmSync(join(directory, '.lock'));
    lock.assertHeld();
    expect(lockOwner(directory)!.pid).to.equal(process.pid);
    writeLock(lockOf({ host: 'elsewhere' }));
    expect(() => lock.assertHeld()).to.throw(
      UserError,
      /already in use by process \d+ on elsewhere .*took over the lock/,
    );
    lock.release();
    expect(lockState(directory)).to.equal('held');
  });

  it('is lost with its directory, also where that was made anew, or not all could be removed', () => {
    const witness = join(directory, 'params.json');
    const remove = () => rmSync(directory, { recursive: true });
    const removals: (() => void)[] = [
      remove,
      () => (remove(), mkdirSync(directory)),
      () => (remove(), mkdirSync(directory), writeFileSync(witness, '{}')),
      () => ['.lock', 'params.json'].forEach((name) => rmSync(join(directory, name))),
    ];
    for (const removal of removals) {
      mkdirSync(directory, { recursive: true });
      writeFileSync(witness, '{}');
      const lock = acquireLock(directory, 'params.json');
      lock.assertHeld();
      removal();
      expect(() => lock.assertHeld(), String(removal)).to.throw(
        UserError,
        `${directory}: was removed, completely or in part`,
      );
      expect(lockOwner(directory)).to.equal(undefined);
      lock.release();
    }
  });

  it('is lost with its directory where its file was made again in the midst of the removal', () => {
    writeFileSync(join(directory, 'params.json'), '{}');
    const lock = acquireLock(directory, 'params.json');
    rmSync(join(directory, '.lock'));
    lock.assertHeld();
    rmSync(join(directory, 'params.json'));
    expect(() => lock.assertHeld()).to.throw(UserError, `${directory}: was removed, completely or in part`);
    lock.release();
  });

  it('refuses what is no regular file, and does not wait for it', function () {
    if (!linux) this.skip();
    const path = join(directory, '.lock');
    const line = `${path}: cannot be read: not a regular file`;
    spawnSync('mkfifo', [path]);
    expect(() => acquireLock(directory)).to.throw(UserError, line);
    expect(() => lockState(directory)).to.throw(UserError, line);
    rmSync(path);
    symlinkSync('/dev/zero', path);
    expect(() => acquireLock(directory)).to.throw(UserError, line);
    expect(readdirSync(directory)).to.deep.equal(['.lock']);
  });

  it('takes over what is no lock', () => {
    for (const content of ['', 'null', '[]', '{"pid": 0}', '{"pid": -1, "host": "x"}', '{"pid": 1', '3']) {
      writeLock(content);
      expect(lockState(directory)).to.equal('stale');
      acquireLock(directory).release();
      expect(readdirSync(directory)).to.deep.equal([]);
    }
  });

  it('takes over where an earlier contender ended while it took over', () => {
    const ended = lockOf({ pid: endedPid() });
    writeLock(ended);
    const succession = createHash('sha256').update(ended).digest('hex').slice(0, 16);
    writeFileSync(join(directory, `.lock.${succession}`), lockOf({ pid: endedPid(), since: 'later' }));
    acquireLock(directory).release();
    expect(readdirSync(directory)).to.deep.equal([]);
  });

  it('releases only what is still its own', () => {
    const lock = acquireLock(directory);
    writeLock(lockOf({ host: 'elsewhere' }));
    lock.release();
    expect(lockState(directory)).to.equal('held');
  });

  it('names a directory that cannot be locked', () => {
    const missing = join(directory, 'missing');
    expect(() => acquireLock(missing)).to.throw(UserError, `${missing}: cannot be locked: ENOENT`);
    expect(lockState(missing)).to.equal('free');
  });

  it('outlives no process that is killed', async () => {
    const child = startChild('lock.acquireLock(directory); console.log("held"); process.stdin.resume();', directory);
    expect(await lineFrom(child)).to.equal('held');
    expect(lockState(directory)).to.equal('held');
    expect(() => acquireLock(directory)).to.throw(UserError, `already in use by process ${child.pid} on`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(lockState(directory)).to.equal('stale');
    acquireLock(directory).release();
  });

  it('goes to one of two processes that ask at once, whether it was free or stale', async () => {
    const rounds = 60;
    const ended = endedPid();
    for (let round = 0; round < rounds; round++) {
      mkdirSync(join(directory, String(round)));
      if (round % 3 > 0) writeLock(lockOf({ pid: ended, since: String(round) }), join(directory, String(round)));
    }
    // Each waits until the other stands before the same directory, and neither ends before both are through.
    const contend = `
      const won = [];
      for (let round = 0; round < ${rounds}; round++) {
        const here = directory + '/' + round;
        fs.writeFileSync(here + '/ready' + process.pid, '');
        while (fs.readdirSync(here).filter((name) => name.startsWith('ready')).length < 2);
        try {
          lock.acquireLock(here);
          won.push(round);
        } catch (error) {
          if (error.name !== 'UserError' || !error.message.includes('already in use')) throw error;
        }
      }
      console.log(JSON.stringify(won));
      process.stdin.resume();
    `;
    const contenders = [startChild(contend, directory), startChild(contend, directory)];
    const won = await Promise.all(contenders.map(async (child) => JSON.parse(await lineFrom(child)) as number[]));
    const states = Array.from({ length: rounds }, (_, round) => lockState(join(directory, String(round))));
    await Promise.all(
      contenders.map((child) => {
        child.kill('SIGKILL');
        return once(child, 'exit');
      }),
    );
    expect(won.flat().sort((a, b) => a - b)).to.deep.equal(Array.from({ length: rounds }, (_, round) => round));
    expect(states.every((state) => state === 'held')).to.equal(true);
    for (let round = 0; round < rounds; round++) {
      const left = readdirSync(join(directory, String(round))).filter((name) => !name.startsWith('ready'));
      expect(left).to.deep.equal(['.lock']);
    }
  });
});
