/** train.ts in this process, which gets a signal, or is gone, at a step or while it evaluates. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { expect } from 'chai';
import * as setup from '../../model/experiment/setup';
import { Trainer } from '../../model/training/trainer';
import { Random } from '../../utils/random';
import { Killed } from './faults';
import { experiment, snapshot } from './train';
import { trainHere } from './train_here';

type Place = 'step' | 'evaluation';

/** What happens to a process at its step, or evaluation, number `at`, counted from 1 over all stages. */
export interface Disturbance {
  readonly place: Place;
  readonly at: number;
  readonly what: 'SIGHUP' | 'SIGINT' | 'SIGTERM' | 'killed';
}

/** How often a process came to each place, and how it ended. */
export interface Disturbed {
  readonly counts: Readonly<Record<Place, number>>;
  /** Steps before each evaluation. */
  readonly ends: readonly number[];
  readonly exitCode: number | undefined;
  readonly stderr: string;
  readonly error: unknown;
}

/** Runs train.ts, to its end or to what happens to it. */
export async function trainDisturbed(args: readonly string[], disturbance?: Disturbance): Promise<Disturbed> {
  const counts = { step: 0, evaluation: 0 };
  const ends: number[] = [];
  const come = (place: Place) => {
    counts[place]++;
    if (disturbance?.place !== place || disturbance.at !== counts[place]) return;
    if (disturbance.what === 'killed') throw new Killed(`${place} ${counts[place]}`);
    process.emit(disturbance.what);
  };
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with the object that it is asked of
  const { step } = Trainer.prototype;
  const module = require.cache[require.resolve('../../model/experiment/setup')]!;
  const { exports } = module as { exports: unknown };
  Trainer.prototype.step = async function (...given) {
    come('step');
    return step.apply(this, given);
  };
  const assess: typeof setup.assess = async (...given) => {
    ends.push(counts.step);
    come('evaluation');
    return setup.assess(...given);
  };
  module.exports = { ...setup, assess };
  try {
    const { error, stderr } = await trainHere(args);
    return { counts, ends, error, stderr, exitCode: process.exitCode as number | undefined };
  } finally {
    Trainer.prototype.step = step;
    module.exports = exports;
    process.exitCode = undefined;
  }
}

/** The checkpoints, metrics, predictions and test images of a run and of its stages. */
function resultsOfAll(directory: string): Record<string, string> {
  const isResult = (path: string) =>
    !path.startsWith('before_') &&
    /^(best(_heads)?|last|metrics[^/]*|predictions[^/]*|images[^/]*)\.\w+$/.test(basename(path));
  return Object.fromEntries(Object.entries(snapshot(directory)).filter(([path]) => isResult(path)));
}

/** Moments at which a run is disturbed, one start after the other: `steps` in all, of which `ends` were done at evaluations. */
type Moments = (steps: number, ends: readonly number[], draw: (bound: number) => number) => readonly Disturbance[];

const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const signals = Object.keys(exitCodes) as (keyof typeof exitCodes)[];
const at = (place: Place, number: number, what: Disturbance['what']) => ({ place, at: number, what });

const moments: Readonly<Record<string, Moments>> = {
  'in the first epoch': (_, [end = 0], draw) => [at('step', 1 + draw(end - 1), signals[draw(3)]!)],
  "at an epoch's last step": (_, ends, draw) => [at('step', ends[draw(ends.length)]!, signals[draw(3)]!)],
  'while it evaluates': (_, ends, draw) => [at('evaluation', 1 + draw(ends.length), signals[draw(3)]!)],
  'in the last epochs': (steps, [end = 0], draw) => [at('step', steps - draw(2 * end), signals[draw(3)]!)],
  twice: (steps, _, draw) => {
    const first = 1 + draw(steps - 2);
    return [at('step', first, signals[draw(3)]!), at('step', 1 + draw(steps - first), signals[draw(3)]!)];
  },
  'by a kill in a step': (steps, _, draw) => [at('step', 1 + draw(steps), 'killed')],
  'by kills while it evaluates and in a step, then by a signal': (_, ends, draw) => [
    at('evaluation', 1 + draw(ends.length), 'killed'),
    at('step', 1, 'killed'),
    at('step', 2, 'SIGTERM'),
  ],
};

/** A directory in other words. */
const spellings: ((path: string) => string)[] = [
  (path) => path,
  (path) => `${path}/`,
  (path) => relative(process.cwd(), path),
  (path) => {
    const moved = `${resolve(path)}_moved`;
    renameSync(path, moved);
    return moved;
  },
];

/**
 * Trains what `params` say, undisturbed and disturbed at a moment, and expects the same bytes. What happens, and how the
 * directory is spelt, or whether it is moved, when the run goes on, follows from `index`.
 */
export async function expectSameBytes(scratch: string, params: object, index: number): Promise<void> {
  const random = new Random(230, 'moments');
  let drawn = 0;
  const draw = (bound: number) => random.integer(Math.max(1, Math.floor(bound)), drawn++, index);
  const whole = experiment(join(scratch, `whole_${index}`), params);
  const { counts, ends, ...end } = await trainDisturbed(['--model_dir', whole]);
  expect(end).to.deep.equal({ exitCode: undefined, stderr: '', error: undefined });

  const kinds = Object.entries(moments);
  const [name, momentsOf] = kinds[index % kinds.length]!;
  const disturbances = momentsOf(counts.step, ends, draw);
  const what = `${name}: ${JSON.stringify(disturbances)} of ${counts.step} steps`;
  let path = experiment(join(scratch, `disturbed_${index}`), params);
  for (const disturbance of disturbances) {
    await disturb(path, disturbance, what);
    path = spellings[draw(spellings.length)]!(path);
  }
  const rest = await trainDisturbed(['--model_dir', path]);
  expect([rest.error, rest.stderr], what).to.deep.equal([undefined, '']);
  expect(resultsOfAll(path), what).to.deep.equal(resultsOfAll(whole));
  for (const directory of [whole, path]) rmSync(directory, { recursive: true });
}

/** One start, which ends as it must after what happens to it; where that finds nothing left to do, the run is finished. */
async function disturb(path: string, disturbance: Disturbance, what: string): Promise<void> {
  const { error, exitCode } = await trainDisturbed(['--model_dir', path], disturbance);
  if (existsSync(join(path, 'metrics_test_best_weights.json'))) return;
  if (disturbance.what === 'killed') expect(error, what).to.be.instanceOf(Killed);
  else expect([error, exitCode], what).to.deep.equal([undefined, exitCodes[disturbance.what]]);
}
