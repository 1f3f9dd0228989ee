/**
 * What a search costs besides its trainings, and which split of the cores between trials is the fastest:
 *
 *   npx ts-node bench/search.ts --net cnn --rounds 3
 */
import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from 'table';
import { runFiles, searchFiles } from '../runs/files';
import { Journal } from '../search/journal';
import { localLauncher } from '../search/launchers/local';
import { Search } from '../search/scheduler';
import { parseSettings } from '../search/settings/settings';
import { openView } from '../search/view';
import { parseArguments, runMain } from '../utils/cli';
import { writeJson } from '../utils/files';
import { onInterrupt, type Interrupt } from '../utils/interrupt';
import { median } from '../utils/median';

const command = {
  name: 'bench/search.ts',
  summary: 'Times searches: what they cost besides their trainings, and the splits of the cores.',
  flags: {
    trials: { type: 'number', default: 20, help: 'trials that do nothing' },
    net: { type: 'string', default: 'cnn', help: 'network of the trials that train' },
    images: { type: 'number', default: 2560, help: 'images that each of them trains on' },
    epochs: { type: 'number', default: 3, help: 'how often' },
    rounds: { type: 'number', default: 3, help: 'how often each measurement takes its turn' },
  },
} as const;

const tsNode = [process.execPath, require.resolve('ts-node/dist/bin')];
const idle = [...tsNode, join(__dirname, '..', 'test', 'helpers', 'stub_trainer.ts')];
const training = [...tsNode, join(__dirname, '..', 'train.ts')];

async function main(): Promise<void> {
  const { trials, net, images, epochs, rounds } = parseArguments(process.argv.slice(2), command);
  const parent = mkdtempSync(join(tmpdir(), 'bench-search-'));
  const bench = new Bench(parent, onInterrupt());
  try {
    const overhead = await bench.overhead(trials, rounds);
    const cpu = await bench.cpuShare();
    const params = {
      model_version: net,
      dataset: { name: 'shapes', train: Math.ceil(images / 0.9), test: 500, seed: 0 },
      learning_rate: 0.001,
      num_epochs: epochs,
    };
    const cores = availableParallelism();
    const splits = [...Array(cores).keys()].map((i) => i + 1).filter((threads) => cores % threads === 0);
    const seconds = await bench.splits(params, cores, splits, rounds);
    if (bench.isInterrupted) return;
    const fastest = Math.min(...seconds.map(median));
    const trial = median(seconds[0]!);
    const rows = splits.map((threads, i) => [
      `${cores / threads} × ${threads}`,
      median(seconds[i]!).toFixed(1),
      `${Math.min(...seconds[i]!).toFixed(1)} – ${Math.max(...seconds[i]!).toFixed(1)}`,
      (median(seconds[i]!) / fastest).toFixed(2),
    ]);
    const head = ['trials × threads', 'seconds', 'of all rounds', 'to the fastest'];
    process.stdout.write(
      `${cores} trainings of ${net}, ${epochs} epochs of ${images} images, batch 128, in ${rounds} rounds:\n` +
        table([head, ...rows], { columnDefault: { alignment: 'right' } }) +
        `A trial takes ${(1000 * overhead).toFixed(0)} ms longer than its training alone: ` +
        `${((100 * overhead) / trial).toFixed(2)} % of such a training on one thread (${trial.toFixed(1)} s).\n` +
        `The search with its live view takes ${(60 * cpu).toFixed(2)} s of CPU time a minute.\n`,
    );
  } finally {
    rmSync(parent, { recursive: true });
  }
}

class Bench {
  private searches = 0;

  constructor(
    private readonly parent: string,
    private readonly interrupt: Interrupt,
  ) {}

  get isInterrupted(): boolean {
    return this.interrupt.requested;
  }

  /** Seconds a trial that a search takes longer than the trainers called one after another; median of rounds. */
  async overhead(trials: number, rounds: number): Promise<number> {
    const params = { num_epochs: 1, epoch_ms: 0 };
    const differences: number[] = [];
    for (let round = 0; round < rounds && !this.isInterrupted; round++) {
      const alone = join(this.parent, `alone_${round}`);
      const began = performance.now();
      for (let trial = 0; trial < trials; trial++) {
        const directory = join(alone, String(trial));
        mkdirSync(directory, { recursive: true });
        writeJson(join(directory, runFiles.params), params);
        spawnSync(idle[0]!, [...idle.slice(1), '--model_dir', directory]);
      }
      const seconds = (performance.now() - began) / 1000;
      const space = { alpha: { low: 0, high: 1 }, temperature: { low: 1, high: 20 } };
      const searched = await this.search(idle, params, { space, sampler: 'tpe', n_trials: trials, n_jobs: 1 });
      differences.push((searched.seconds - seconds) / trials);
    }
    return median(differences);
  }

  /** Seconds of CPU time that the search itself takes each second while two trials run. */
  async cpuShare(): Promise<number> {
    const params = { num_epochs: 100, epoch_ms: 200 };
    const { cpu, seconds } = await this.search(idle, params, { space: { alpha: [0.1, 0.2] }, n_jobs: 2 });
    return cpu / seconds;
  }

  /** Seconds that `trials` trainings took in each round, for each number of threads a trial. */
  async splits(params: object, trials: number, threads: readonly number[], rounds: number): Promise<number[][]> {
    const seconds = threads.map((): number[] => []);
    const space = { seed: { low: 1, high: trials, integer: true } };
    for (let round = 0; round < rounds; round++) {
      for (const [i, threads_per_trial] of threads.entries()) {
        if (this.isInterrupted) return seconds;
        const n_jobs = trials / threads_per_trial;
        seconds[i]!.push((await this.search(training, params, { space, threads_per_trial, n_jobs })).seconds);
      }
    }
    return seconds;
  }

  /** Searches in a new directory as the command does, with the live view on a terminal that nobody sees. */
  private async search(
    trainer: readonly string[],
    params: object,
    content: { readonly n_jobs: number } & Readonly<Record<string, unknown>>,
  ): Promise<{ seconds: number; cpu: number }> {
    const directory = join(this.parent, `search_${this.searches++}`);
    mkdirSync(directory);
    const pollMs = 1000;
    const settings = parseSettings(content, directory);
    const journal = new Journal(join(directory, searchFiles.journal));
    const terminal = Object.assign(createWriteStream(devNull), { isTTY: true, columns: 120, rows: 40 });
    const view = openView(content.n_jobs, settings.metric, terminal as unknown as typeof process.stderr);
    const ignore = () => {};
    const began = performance.now();
    const cpuBefore = process.cpuUsage();
    await new Search({
      directory,
      params: params as Record<string, unknown>,
      settings,
      parallel: content.n_jobs,
      events: [],
      append: (event) => journal.append(event),
      launcher: localLauncher(trainer, pollMs),
      log: { info: ignore, warn: ignore, error: ignore },
      interrupt: this.interrupt,
      show: view.show,
      resolve: (given) => given,
      pollMs,
      graceMs: 10_000,
    }).run();
    const { user, system } = process.cpuUsage(cpuBefore);
    view.stop();
    journal.close();
    return { seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1e6 };
  }
}

void runMain(main);
