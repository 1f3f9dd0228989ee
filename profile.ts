/**
 * Tells where the time of an experiment's training step goes, by operator and by layer; the run itself is left alone:
 *
 *   npm run profile -- --model_dir experiments/cnn_distill
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { table, type ColumnUserConfig } from 'table';
import { byLayer, byOperator, operatorTime, parseProfile, runTime, type Run } from './engine/analysis/profile';
import { loadDataset } from './model/data';
import { loadBatches } from './model/data/loader';
import { methodsOf, needsTeacher, studentOf } from './model/experiment/experiment';
import { located } from './model/experiment/own_paths';
import { partitionOf } from './model/evaluation/predict';
import { ofFile, trainingConfig } from './model/experiment/training_config';
import { plannedRuns } from './model/experiment/stages';
import { loadTeacher } from './model/teachers';
import { Trainer } from './model/training/trainer';
import { phasesOf } from './model/training/step_graph';
import { oneOf, parseArguments, runMain } from './utils/cli';
import { UserError } from './utils/errors';
import { median } from './utils/median';
import type { Params } from './model/experiment/params';
import { threadsWarning } from './utils/threads';
import { counted } from './utils/words';

const command = {
  name: 'profile.ts',
  summary: 'Tells where the time of a training step goes, by operator and by layer.',
  flags: {
    model_dir: { type: 'string', help: 'directory of an experiment; nothing is written there' },
    steps: { type: 'number', default: 10, help: 'steps that are timed' },
    phase: { type: 'string', help: 'of a method with several kinds of steps: which kind (default: the last)' },
  },
} as const;

/** Steps before those that are timed: the first ones allocate. */
const WARM_UP = 2;

/** Milliseconds of a step. */
interface StepTime {
  readonly batch: number;
  /** The teacher, and what else the step is fed. */
  readonly feeds: number;
  readonly session: number;
}

async function main(): Promise<void> {
  const { model_dir: directory, steps, phase } = parseArguments(process.argv.slice(2), command);
  if (directory === undefined) throw new UserError('--model_dir is missing: name the directory of an experiment', 2);
  if (!Number.isInteger(steps) || steps < 1) throw new UserError(`--steps must be an integer from 1, got ${steps}`, 2);
  const params = located(plannedRuns(directory).at(-1)!.params, directory);
  const crowded = threadsWarning(`${join(directory, 'params.json')}: "threads"`, params.threads);
  if (crowded !== undefined) process.stderr.write(`warning: ${crowded}\n`);
  const scratch = mkdtempSync(join(tmpdir(), 'profile-'));
  try {
    const { times, batchSize } = await profiledSteps(params, { steps, phase, scratch, source: directory });
    const profiles = readdirSync(scratch).sort();
    const runsOf = (prefix: string) =>
      profiles
        .filter((file) => file.startsWith(prefix))
        .map((file) => parseProfile(readFileSync(join(scratch, file), 'utf8')).slice(-steps));
    const threads = params.threads || availableParallelism();
    const [runs = []] = runsOf('step');
    const title = `A step of ${params.model_version}, batch ${batchSize}, ${counted(threads, 'thread')}`;
    process.stdout.write(`${title}: medians of ${steps}, in ms, with ONNX Runtime's profiler at work\n`);
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

/** Trains on the first batches of an experiment from new weights, while profiles are written into `scratch`. */
async function profiledSteps(
  params: Params,
  { steps, phase, scratch, source }: { steps: number; phase: string | undefined; scratch: string; source: string },
): Promise<{ times: StepTime[]; batchSize: number }> {
  const methods = methodsOf(params);
  const kinds = phasesOf(methods);
  const names = kinds.map((kind) => kind?.name ?? 'step');
  const kind = names.indexOf(oneOf('phase', phase ?? names.at(-1)!, names));
  const turns = kinds.map((one) => one?.steps ?? 1);
  const before = turns.slice(0, kind).reduce((sum, count) => sum + count, 0);
  const round = turns.reduce((sum, count) => sum + count, 0);

  const { threads, seed } = params;
  const dataset = await loadDataset({ dir: params.data_dir, ...params.dataset });
  const model = studentOf(params, dataset);
  const { train } = partitionOf(params, dataset);
  const context = { threads, profile: join(scratch, 'teacher'), log: () => {} };
  const teacher =
    needsTeacher(params) && params.teacher !== 'none'
      ? await loadTeacher(params.teacher, model, dataset, context)
      : undefined;
  const batchSize = Math.min(params.batch_size, train.length);
  const recipe = trainingConfig(params, model, dataset, train, join(source, 'params.json'));
  const trainer = ofFile(join(source, 'params.json'), () =>
    Trainer.create(model, [batchSize], { ...recipe.step, teacher, profile: join(scratch, 'step') }),
  );

  const waits: number[] = [];
  const pass = { shape: dataset.shape, batchSize, seed, shuffle: true, augment: recipe.augment, views: trainer.views };
  for (let epoch = 1; waits.length < WARM_UP + steps; epoch++) {
    let asked = performance.now();
    for await (const batch of loadBatches(recipe.split, recipe.examples(epoch), {
      ...pass,
      epoch,
      ahead: params.num_workers,
    })) {
      if (batch.size < batchSize || waits.length === WARM_UP + steps) break;
      waits.push(performance.now() - asked);
      const step = waits.length * round - round + before + 1;
      await trainer.step(batch, { step, epoch, epochs: params.num_epochs, learningRate: params.learning_rate });
      asked = performance.now();
    }
  }
  await Promise.all([trainer.release(), teacher?.release()]);
  const { teacher: feeds, step: sessions } = trainer.times;
  const times = waits.map((batch, i) => ({ batch, feeds: feeds[i]!, session: sessions[i]! }));
  return { times: times.slice(WARM_UP), batchSize };
}

/** Where a step spends its time inside and outside of ONNX Runtime. */
function stepTable(times: readonly StepTime[], runs: readonly Run[]): string {
  const of = (part: (time: StepTime) => number) => median(times.map(part));
  const [session, inside, operators] = [of((time) => time.session), runTime(runs), operatorTime(runs)];
  const total = of(({ batch, feeds, session }) => batch + feeds + session);
  return withShares(total, [
    ['the batch: read, augmented', of((time) => time.batch)],
    ['what is fed, and the teacher', of((time) => time.feeds)],
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

void runMain(main);
