/** A search among whose processes and files something is killed, paused or removed again and again, as a seed has it. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { lockHolder } from '../../runs/lock';
import { readJournal } from '../../search/journal';
import { Random } from '../../utils/random';
import { childrenOf, ended, statesIn, type Ended } from './searching';
import { trainersOf, type TestCluster } from './slurm';

/** Something of a search that can be disturbed. */
export interface Victim {
  readonly name: string;
  /** How often it is chosen, relative to others. */
  readonly weight: number;
  /**
   * What can be done to it. `share`, from 0 to less than 1, chooses one where there are several; the answer says which;
   * undefined: there is none at present.
   */
  readonly deeds: Readonly<Record<string, (share: number) => string | undefined | Promise<string | undefined>>>;
}

/** Processes that are killed, and followed by what `again` starts after a while, or stand still for up to `pauseMs`. */
function processVictim(
  name: string,
  weight: number,
  pids: () => readonly number[],
  pauseMs: number,
  again?: () => unknown,
): Victim {
  const signal = (pid: number | undefined, signal: NodeJS.Signals) => {
    try {
      return pid !== undefined && process.kill(pid, signal) ? String(pid) : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    name,
    weight,
    deeds: {
      kill: async (share) => {
        const killed = signal(choice(pids(), share), 'SIGKILL');
        if (killed === undefined || again === undefined) return killed;
        await wait(pauseMs * share);
        await again();
        return killed;
      },
      pause: async (share) => {
        const pid = choice(pids(), share);
        const paused = signal(pid, 'SIGSTOP');
        await wait(pauseMs * share);
        signal(pid, 'SIGCONT');
        return paused;
      },
    },
  };
}

/** Files or directories that are removed, as by `rm -r`: what is just being written into a directory stays, and the directory. */
function fileVictim(name: string, weight: number, paths: () => readonly string[]): Victim {
  return {
    name,
    weight,
    deeds: {
      remove(share) {
        const path = choice(paths(), share);
        if (path === undefined) return undefined;
        try {
          rmSync(path, { recursive: true, force: true });
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
        }
        return path;
      },
    },
  };
}

/** What a search on this machine consists of: `parent` tells the process of the search, `trainers` those of a directory. */
export function localVictims(
  directory: string,
  parent: () => number | undefined,
  pauseMs: number,
  trainers: (path: string) => readonly number[] = (path) => [lockHolder(path)].filter((pid) => pid !== undefined),
): Victim[] {
  const children = () => childrenOf(directory).filter((name) => !name.startsWith('.'));
  const directories = () => children().map((name) => join(directory, name));
  const pids = () => directories().flatMap(trainers);
  const locks = () =>
    [directory, ...directories()].map((path) => join(path, '.lock')).filter((path) => existsSync(path));
  return [
    processVictim('parent', 2, () => [parent()].filter((pid) => pid !== undefined), pauseMs),
    processVictim('child', 4, pids, pauseMs),
    fileVictim('lock', 2, locks),
    fileVictim('directory', 1, directories),
  ];
}

/** What a search on a cluster consists of: that of one on this machine, and the cluster's daemons. */
export function slurmVictims(
  directory: string,
  parent: () => number | undefined,
  pauseMs: number,
  cluster: TestCluster,
): Victim[] {
  const daemon = (name: string, again: () => unknown) =>
    processVictim(name, 1, () => [cluster.daemon(name)].filter((pid) => pid !== undefined), pauseMs, again);
  return [
    ...localVictims(directory, parent, pauseMs, trainersOf),
    ...cluster.nodeNames.map((name) => daemon(name, () => cluster.restartNode(name))),
    daemon('slurmctld', () => cluster.startController()),
  ];
}

export interface Chaos {
  readonly seed: number;
  /** How long it lasts, and the mean time from one deed to the next. */
  readonly seconds: number;
  readonly everySeconds: number;
}

export interface Survived {
  /** What was done: `12.3 s: kill child 4711`. */
  readonly deeds: string[];
  /** How each start of the search ended; the last ones are undisturbed. */
  readonly ends: Ended[];
}

/**
 * Starts a search again whenever it has ended, while its victims are disturbed, and then undisturbed until all its trials are
 * complete, `calmStarts` times at the most.
 */
export async function survive(
  directory: string,
  start: () => ChildProcess,
  victimsOf: (parent: () => number | undefined) => readonly Victim[],
  chaos: Chaos,
  calmStarts = 3,
): Promise<Survived> {
  let parent: ChildProcess | undefined;
  const ends: Ended[] = [];
  const run = async () => {
    parent = start();
    const end = await ended(parent);
    parent = undefined;
    ends.push(end);
  };
  const isOver = after(chaos.seconds);
  const disturbing = disturb(
    victimsOf(() => parent?.pid),
    chaos,
    isOver,
  );
  while (!isOver()) await run();
  const deeds = await disturbing;
  const isComplete = () => Object.values(statesIn(directory)).every((state) => state === 'complete');
  for (let starts = 0; starts < calmStarts && (ends.at(-1)?.exitCode !== 0 || !isComplete()); starts++) await run();
  return { deeds, ends };
}

async function disturb(victims: readonly Victim[], chaos: Chaos, isOver: () => boolean): Promise<string[]> {
  const random = new Random(chaos.seed, 'chaos');
  const tickets = victims.flatMap((victim) => Array<Victim>(victim.weight).fill(victim));
  const began = performance.now();
  const done: string[] = [];
  for (let i = 0, isFutile = false; ; i++) {
    const [pause, who, what, which] = [0, 1, 2, 3].map((j) => random.uniform(j, i)) as [number, number, number, number];
    // Where there was nobody to hit, the next one's turn comes at once.
    await wait(isFutile ? 50 : 2000 * chaos.everySeconds * pause);
    if (isOver()) return done;
    const victim = choice(tickets, who)!;
    const [deed, act] = choice(Object.entries(victim.deeds), what)!;
    const hit = await act(which);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    isFutile = hit === undefined;
    if (!isFutile) done.push(`${seconds} s: ${deed} ${victim.name} ${hit}`);
  }
}

/** What may be said of a trial that fails in chaos. */
const explained = [
  /^its directory was removed during training$/,
  /^(Slurm job \d+: FAILED, )?killed, probably out of memory$/,
  /: already in use by process \d+ on .*; it took over the lock while this process was suspended$/,
];

/**
 * All trials are complete, each once, and again only where its results were lost; each failure has a reason that explains it;
 * no start of the search ended by a mistake of its own.
 */
export function expectEachOnce(directory: string, { deeds, ends }: Survived, trials: number): void {
  const told = `\n${deeds.join('\n')}\n${JSON.stringify(ends.at(-1))}\n`;
  expect(Object.values(statesIn(directory)), told).to.deep.equal(Array(trials).fill('complete'));
  expect(childrenOf(directory), told).to.have.lengthOf(trials);
  const events = readJournal(join(directory, 'search.journal.jsonl'));
  const log = readFileSync(join(directory, 'search_hyperparameters.log'), 'utf8').split('\n');
  for (const name of childrenOf(directory)) {
    const finished = events.filter((event) => event.event === 'finished' && event.name === name).length;
    const lost = log.filter((line) => line.endsWith(`${name}: its results are missing; the trial runs again`)).length;
    expect(finished, `${name}${told}`).to.be.within(1, 1 + lost);
  }
  for (const event of events) {
    if (event.event !== 'failed') continue;
    expect(
      explained.some((reason) => reason.test(event.reason)),
      `${event.name}: ${event.reason}${told}`,
    ).to.equal(true);
  }
  for (const { exitCode, stderr } of ends) expect(exitCode, stderr).to.be.oneOf([null, 0, 1]);
}

function choice<T>(things: readonly T[], share: number): T | undefined {
  return things[Math.floor(things.length * share)];
}

function after(seconds: number): () => boolean {
  const end = performance.now() + 1000 * seconds;
  return () => performance.now() >= end;
}
