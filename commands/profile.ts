/** Profiles a training step by operator and by layer. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { table, type ColumnUserConfig } from 'table';
import { byLayer, byOperator, operatorTime, parseProfile, runTime, type Run } from '../engine/analysis/profile';
import type { Batch } from '../model/data/loader';
import { methodsOf } from '../model/experiment/experiment';
import type { Params } from '../model/experiment/params';
import { setUp } from '../model/experiment/setup';
import { plannedRuns } from '../model/experiment/stages';
import { fit } from '../model/training/loop';
import { NanGuard } from '../model/training/nan_guard';
import { phasesOf } from '../model/training/step_graph';
import { integerFlag, oneOf, parseArguments } from '../utils/cli';
import { UserError } from '../utils/errors';
import { median } from '../utils/median';
import { counted } from '../utils/words';

const command = {
  name: 'profile.ts',
  summary: 'Shows where the time of a training step goes, by operator and by layer.',
  flags: {
    model_dir: { type: 'string', help: 'directory of an experiment; it is not changed' },
    steps: { type: 'number', default: 10, help: 'number of steps to time' },
    phase: {
      type: 'string',
      help: 'the kind of step to profile, for methods that alternate several (default: the last)',
    },
  },
} as const;

/** Warm-up steps: the first ones allocate memory. */
const WARM_UP = 2;

/** Duration of a step in milliseconds. */
interface StepTime {
  readonly batch: number;
  /** The teacher and the other inputs of the step. */
  readonly feeds: number;
  readonly session: number;
}

export async function profile(): Promise<void> {
  const { model_dir: directory, steps, phase } = parseArguments(process.argv.slice(2), command);
  if (directory === undefined) throw new UserError('--model_dir is missing: name the directory of an experiment', 2);
  integerFlag('steps', steps, 1);
  const { params } = plannedRuns(directory).at(-1)!;
  const scratch = mkdtempSync(join(tmpdir(), 'profile-'));
  try {
    const { times, batchSize } = await profiledSteps(params, { steps, phase, scratch, directory });
    const profiles = readdirSync(scratch).sort();
    const runsOf = (prefix: string) =>
      profiles
        .filter((file) => file.startsWith(prefix))
        .map((file) => parseProfile(readFileSync(join(scratch, file), 'utf8')).slice(-steps));
    const threads = params.threads || availableParallelism();
    const [runs = []] = runsOf('step');
    const title = `A step of ${params.model_version}, batch ${batchSize}, ${counted(threads, 'thread')}`;
    process.stdout.write(`${title}: medians of ${steps} steps in ms, with ONNX Runtime's profiler on\n`);
    process.stdout.write(stepTable(times, runs));
    process.stdout.write(`By operator\n${operatorTable(runs)}`);
    process.stdout.write(`By layer\n${layerTable(runs)}`);
    for (const passes of runsOf('teacher')) {
      process.stdout.write(`A pass of the teacher, ${runTime(passes).toFixed(2)} ms\n${operatorTable(passes)}`);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Trains on the first full batches of an experiment from new weights and writes profiles into `scratch`. */
async function profiledSteps(
  params: Params,
  {
    steps,
    phase,
    scratch,
    directory,
  }: { steps: number; phase: string | undefined; scratch: string; directory: string },
): Promise<{ times: StepTime[]; batchSize: number }> {
  const names = phasesOf(methodsOf(params)).map((kind) => kind?.name ?? 'step');
  const chosen = oneOf('phase', phase ?? names.at(-1)!, names);
  // On the CPU and in float32, whatever the run has: that is where ONNX Runtime's profile is of use.
  const setup = await setUp(
    { ...params, precision: 'float32' },
    {
      directory,
      device: 'cpu',
      profile: { folder: scratch, phase: chosen },
      log: (level, line) => {
        if (level === 'warn') process.stderr.write(`warning: ${line}\n`);
      },
    },
  );
  const { trainer, teacher, batchSize, train } = setup;
  const silent = { warn: () => {}, error: () => {} };
  const checks = { policy: 'stop', debug: false, batches: 1, accumulate: 1, log: silent, source: directory } as const;
  const waits: number[] = [];
  await fit({
    trainer,
    guard: new NanGuard(trainer, checks),
    batches: (epoch) => timed(fullBatches(setup.batches(epoch, 0), batchSize), waits),
    examples: Math.floor(train.length / batchSize) * batchSize,
    batchSize,
    accumulate: 1,
    epochs: params.num_epochs,
    learningRate: () => params.learning_rate,
    isOver: () => false,
    validate: () => Promise.resolve({ metrics: { accuracy: 0, loss: 0 } }),
    hooks: { onStep: ({ globalStep }) => (globalStep === WARM_UP + steps ? 'stop' : undefined) },
  });
  await Promise.all([trainer.release(), teacher?.release()]);
  const { teacher: feeds, step: sessions } = trainer.times;
  const times = sessions.map((session, i) => ({ batch: waits[i]!, feeds: feeds[i]!, session }));
  return { times: times.slice(WARM_UP), batchSize };
}

/** The batches of full size: times of smaller ones are not comparable. */
async function* fullBatches(pass: AsyncGenerator<Batch>, batchSize: number): AsyncGenerator<Batch> {
  for await (const batch of pass) if (batch.size === batchSize) yield batch;
}

/** The batches of a pass; records in `waits` the milliseconds spent waiting for each. */
async function* timed(pass: AsyncGenerator<Batch>, waits: number[]): AsyncGenerator<Batch> {
  for (;;) {
    const asked = performance.now();
    const next = await pass.next();
    if (next.done) return;
    waits.push(performance.now() - asked);
    yield next.value;
  }
}

/** The time of a step inside and outside of ONNX Runtime. */
function stepTable(times: readonly StepTime[], runs: readonly Run[]): string {
  const of = (part: (time: StepTime) => number) => median(times.map(part));
  const [session, inside, operators] = [of((time) => time.session), runTime(runs), operatorTime(runs)];
  const total = of(({ batch, feeds, session }) => batch + feeds + session);
  return withShares(total, [
    ['the batch: reading, augmentation', of((time) => time.batch)],
    ['inputs and the teacher', of((time) => time.feeds)],
    ['operators', operators],
    ['ONNX Runtime between operators', inside - operators],
    ['session.run outside of ONNX Runtime', session - inside],
    ['in all', total],
  ]);
}

function operatorTable(runs: readonly Run[]): string {
  const total = operatorTime(runs);
  const rows = byOperator(runs).map(({ operator, calls, ms }) => [operator, calls, ms.toFixed(3), share(ms, total)]);
  return aligned([['operator', 'calls', 'ms', 'share'], ...rows, ['in all', '', total.toFixed(2), '']]);
}

function layerTable(runs: readonly Run[]): string {
  const total = operatorTime(runs);
  const rows = byLayer(runs).map(({ layer, forward, backward, update, ms }) => [
    layer,
    ...[forward, backward, update].map((part) => (part === 0 ? '' : part.toFixed(3))),
    ms.toFixed(3),
    share(ms, total),
  ]);
  return aligned([['layer', 'forward', 'backward', 'update', 'ms', 'share'], ...rows]);
}

function withShares(total: number, rows: readonly (readonly [string, number])[]): string {
  return aligned([['', 'ms', 'share'], ...rows.map(([name, ms]) => [name, ms.toFixed(2), share(ms, total)])]);
}

function aligned(rows: readonly (readonly (string | number)[])[]): string {
  const columnDefault: ColumnUserConfig = { alignment: 'right' };
  return table(
    rows.map((row) => [...row]),
    {
      columnDefault,
      columns: { 0: { alignment: 'left' } },
      drawHorizontalLine: (line, count) => line < 2 || line === count,
    },
  );
}

function share(ms: number, total: number): string {
  return `${((100 * ms) / total).toFixed(1)} %`;
}
