/** Searches whose trainer only waits, in this process or in one of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal, readJournal } from '../../search/journal';
import { localLauncher } from '../../search/launchers/local';
import { Search } from '../../search/scheduler';
import { readSettings } from '../../search/settings/settings';
import type { Snapshot } from '../../search/snapshot';
import { stateOf, trialsOf } from '../../search/trials/trials';

const tsNode = [process.execPath, require.resolve('ts-node/dist/bin')];
const stub = (name: string) => join(__dirname, name);

/** A directory with a params.json of quick epochs and a search.json. */
export function makeSearch(search: object, params: object = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'search-'));
  writeFileSync(join(directory, 'params.json'), JSON.stringify({ num_epochs: 3, epoch_ms: 30, ...params }));
  writeFileSync(join(directory, 'search.json'), JSON.stringify(search));
  return directory;
}

export interface Searched {
  readonly lines: string[];
  readonly snapshots: Snapshot[];
  readonly error: unknown;
}

/** Runs a search in this process; `interrupt` is asked for when `interruptWhen` holds. */
export async function runSearch(
  directory: string,
  interruptWhen: (snapshot: Snapshot) => boolean = () => false,
): Promise<Searched> {
  const settings = readSettings(join(directory, 'search.json'));
  const path = join(directory, 'search.journal.jsonl');
  const events = readJournal(path);
  const journal = new Journal(path);
  if (events.length === 0) journal.append({ event: 'search', settings, params: {} });
  const lines: string[] = [];
  const snapshots: Snapshot[] = [];
  const interrupt = { requested: false, exitCode: 130 };
  const say = (line: string) => void lines.push(line);
  const searching = new Search({
    directory,
    params: JSON.parse(readFileSync(join(directory, 'params.json'), 'utf8')) as Record<string, unknown>,
    settings,
    parallel: settings.n_jobs ?? 2,
    events,
    append: (event) => journal.append(event),
    launcher: localLauncher([...tsNode, stub('stub_trainer.ts')], 20),
    log: { info: say, warn: say, error: say },
    interrupt,
    show: (snapshot) => {
      snapshots.push(snapshot);
      interrupt.requested ||= interruptWhen(snapshot);
    },
    resolve: (given) => given,
    pollMs: 20,
    graceMs: 100,
  });
  try {
    await searching.run();
    return { lines, snapshots, error: undefined };
  } catch (error) {
    return { lines, snapshots, error };
  } finally {
    journal.close();
  }
}

/** Starts a search in a process of its own, by `script`. */
export function startSearch(args: readonly string[], env = process.env, script = stub('stub_search.ts')): ChildProcess {
  const [program, ...words] = [...tsNode, script, ...args];
  return spawn(program!, words, { stdio: ['ignore', 'pipe', 'pipe'], env });
}

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a process said, when it has ended. */
export function ended(child: ChildProcess): Promise<Ended> {
  const said = { stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  return new Promise((resolve) => child.on('close', (exitCode) => resolve({ exitCode, ...said })));
}

/** The states of all trials by the names of their directories, as the journal has them. */
export function statesIn(directory: string): Record<string, string> {
  const { repeats } = readSettings(join(directory, 'search.json'));
  const trials = trialsOf(readJournal(join(directory, 'search.journal.jsonl')));
  return Object.fromEntries([...trials.values()].map((trial) => [trial.name, stateOf(trial, repeats)]));
}

/** How many times a child of the stub trainer has begun to work, or done all. */
export function countOf(what: 'starts' | 'ends', ...path: string[]): number {
  const file = join(...path, `${what}.txt`);
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

/** What the `weights` of the stub trainer come to when it does each step once. */
export function weightsAfter(steps: number, alpha: number): number {
  let weights = Math.round(1000 * alpha);
  for (let step = 0; step < steps; step++) weights = (Math.imul(weights, 1664525) + 1013904223) >>> 0;
  return weights;
}

export function childrenOf(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/**
 * Kills a search again and again after up to `longestMs`, a share that is a function of the round, until one start
 * ends by itself; returns how often it was killed.
 */
export async function killUntilDone(directory: string, longestMs: number): Promise<number> {
  for (let kills = 0; ; kills++) {
    const search = startSearch(['--parent_dir', directory]);
    const end = ended(search);
    const share = ((kills + 1) * 0.618) % 1;
    const timer = setTimeout(() => search.kill('SIGKILL'), longestMs * (0.4 + 0.6 * share));
    const { exitCode, stderr } = await end;
    clearTimeout(timer);
    if (exitCode === 0) return kills;
    if (exitCode !== null) throw new Error(stderr);
  }
}
