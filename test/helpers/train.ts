/** Running train.ts and other scripts as a user does: a process of its own, in a directory of its own. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import pLimit from 'p-limit';
import { State } from '../../engine/session';
import { writeSafetensors } from '../../formats/safetensors';
import { nets } from '../../model/nets';
import { evaluationGraph, type Model } from '../../model/nets/model';

const root = join(__dirname, '..', '..');
const limit = pLimit(2);

/** How a process ended: by its exit code or by a signal. */
export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A signal that a process gets as soon as it has said `after`. */
export interface Kill {
  readonly after: string;
  readonly signal: NodeJS.Signals;
}

/** Runs train.ts in the working directory `cwd`. */
export function train(cwd: string, args: readonly string[], kill?: Kill): Promise<Ended> {
  return runScript('train.ts', cwd, args, kill);
}

/** Runs a script of the top level in the working directory `cwd`; at most two at a time, a minute each. */
export function runScript(name: string, cwd: string, args: readonly string[], kill?: Kill): Promise<Ended> {
  return limit(
    () =>
      new Promise<Ended>((resolve, reject) => {
        const script = [join(root, 'node_modules', 'ts-node', 'dist', 'bin.js'), join(root, name)];
        const child = spawn(process.execPath, [...script, ...args], { cwd, timeout: 60_000, killSignal: 'SIGKILL' });
        const said = { stdout: '', stderr: '' };
        let pending = kill;
        child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          said.stdout += text;
          if (pending === undefined || !said.stdout.includes(pending.after)) return;
          child.kill(pending.signal);
          pending = undefined;
        });
        child.on('error', reject);
        child.on('close', (exitCode, signal) => resolve({ exitCode, signal, ...said }));
      }),
  );
}

/** Parameters of a run that takes a second: six batches an epoch, the last of them smaller. */
export const small = {
  model_version: 'cnn',
  dataset: { name: 'shapes', train: 400, test: 100 },
  num_channels: 4,
  batch_size: 64,
  learning_rate: 0.003,
  num_epochs: 1,
  threads: 1,
};

/** Writes a params.json of `small` with changes into `directory`, which is made where it is missing; returns it. */
export function experiment(directory: string, changes: object = {}): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'params.json'), JSON.stringify({ ...small, ...changes }));
  return directory;
}

/** Writes the initial weights of a net for 10 classes; returns the path. */
export function writeInitialWeights(path: string, name: string, numChannels: number): string {
  const model: Model = {
    net: nets[name]!.build,
    options: { classes: 10, numChannels, dropoutRate: 0 },
    normalize: { mean: [0, 0, 0], std: [1, 1, 1] },
    input: [3, 32, 32],
  };
  writeSafetensors(path, State.initial(evaluationGraph(model)).arrays());
  return path;
}

/** The files below a directory, as paths within it, each with a hash of its content. */
export function snapshot(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(directory, path), hashOf(path)]));
}

/** The part of a snapshot that depends on params.json alone: checkpoints and metrics. */
export function results(directory: string): Record<string, string> {
  const isResult = (path: string) => /^(best(_heads)?|last|metrics[^/]*|predictions[^/]*|images[^/]*)\.\w+$/.test(path);
  return Object.fromEntries(Object.entries(snapshot(directory)).filter(([path]) => isResult(path)));
}

/** A JSON file of a directory. */
export function readJsonIn<T>(directory: string, name: string): T {
  return JSON.parse(readFileSync(join(directory, name), 'utf8')) as T;
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
