/** The command `train.ts`: its flags, and the stages of an experiment one after the other. What a run does is in train.ts. */
import { join } from 'node:path';
import { inWords } from '../model/experiment/describe';
import type { Experiment } from '../model/experiment/experiment';
import type { Plan } from '../model/experiment/plans';
import { reproduceRun } from '../model/experiment/reproduce';
import { plannedRuns } from '../model/experiment/stages';
import { runFiles } from '../runs/files';
import { acquireLock, type Lock } from '../runs/lock';
import { RunDirectory } from '../runs/run_directory';
import { parseArguments } from '../utils/cli';
import { titleOf } from '../utils/commands';
import { deviceFlag, flaggedDevice, type Device } from '../utils/devices';
import { UserError } from '../utils/errors';
import { makeDirectory, writeJson } from '../utils/files';

const command = {
  name: 'train.ts',
  summary: 'Trains the experiment in a directory. Run it again to resume a training that was interrupted.',
  flags: {
    model_dir: { type: 'string', help: 'directory with params.json; all results are written there' },
    restore_file: { type: 'string', help: '"last" resumes; "best" or a file starts a new run from those weights' },
    device: deviceFlag,
    fresh: { type: 'boolean', default: false, help: 'start over; earlier results move to a folder before_<n>' },
    teacher_cache: { type: 'string', help: 'directory where several runs share teacher outputs' },
    reproduce: {
      type: 'string',
      formerly: 'repeat',
      help: 'train the finished run in this directory again, in --model_dir or its folder again_<n>, and compare results',
    },
    debug_nan: { type: 'boolean', default: false, help: 'stop at the first NaN or infinity and name its operator' },
    describe: {
      type: 'string',
      help: 'print what a method or a network by path does and its options; "all" lists every method',
    },
  },
} as const;

type Arguments = Omit<ReturnType<typeof parseArguments<typeof command>>, 'reproduce' | 'describe'>;

/** The flags of the command, and what the stages of an experiment have in common. */
export interface TrainOptions extends Omit<Arguments, 'device'> {
  /** The command as the user typed it, for run.json. */
  readonly argv: readonly string[];
  readonly plans?: readonly Plan[] | undefined;
  readonly device: Device | undefined;
  readonly lock: Lock;
}

/** Trains a run to its end; returns false if interrupted. */
export type TrainRun = (run: RunDirectory, experiment: Experiment, options: TrainOptions) => Promise<boolean>;

/** Reads the command line, and trains all stages of an experiment by `train`. */
export async function trainCommand(train: TrainRun): Promise<void> {
  const { describe, reproduce, ...args } = parseArguments(process.argv.slice(2), command);
  if (describe !== undefined) {
    process.stdout.write(`${inWords(describe)}\n`);
  } else if (reproduce !== undefined) {
    await reproduceRun(reproduce, args, (directory, plans, weights) =>
      trainAll(train, directory, { ...args, restore_file: weights }, plans),
    );
  } else {
    const { model_dir: directory, fresh, restore_file: file } = args;
    if (directory === undefined) throw new UserError('--model_dir is missing: name the directory of an experiment', 2);
    if (fresh && file === 'last')
      throw new UserError('--fresh starts over and --restore_file last resumes: give one of them', 2);
    await trainAll(train, directory, args);
  }
}

/** Trains all stages of an experiment; returns false if interrupted. */
async function trainAll(
  train: TrainRun,
  directory: string,
  args: Arguments,
  plans?: readonly Plan[],
): Promise<boolean> {
  const device = flaggedDevice(args.device);
  const argv = [...titleOf(command.name).split(' '), ...process.argv.slice(2)];
  const runs = plannedRuns(directory);
  const lock = acquireLock(directory, runFiles.params);
  try {
    for (const { directory: path, params, given, isStage } of runs) {
      if (isStage) {
        lock.assertHeld();
        makeDirectory(path);
        writeJson(join(path, runFiles.params), given);
      }
      const own = isStage ? { restore_file: undefined } : { plans };
      if (!(await train(new RunDirectory(path), { given, params }, { ...args, ...own, argv, device, lock })))
        return false;
    }
    return true;
  } finally {
    lock.release();
  }
}
