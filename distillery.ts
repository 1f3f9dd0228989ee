#!/usr/bin/env node
/**
 * The program of the package: every script as a command.
 *
 *   npx distillery train --model_dir experiments/cnn_distill
 *   npx distillery new experiments/my_experiment
 */
import { doctor } from './commands/doctor';
import { newExperiment } from './commands/new';
import { runMain } from './utils/cli';
import { scriptPath, scripts } from './utils/commands';
import { UserError } from './utils/errors';
import { nearest } from './utils/nearest';
import { packageVersion } from './utils/version';

interface Command {
  readonly summary: string;
  /** The script that it runs, with the arguments that it gets; or what it does itself. */
  readonly script?: string;
  readonly arguments?: (given: readonly string[]) => readonly string[];
  readonly run?: (args: readonly string[]) => Promise<void>;
}

const commands: Readonly<Record<string, Command>> = {
  quickstart: { script: scripts.quickstart, summary: 'train a student alone and distilled, and compare them' },
  new: { run: newExperiment, summary: 'write a directory with an experiment to begin with' },
  train: { script: scripts.train, summary: 'train the experiment in a directory, or resume it' },
  search: { script: scripts.search, summary: 'search hyperparameters' },
  report: { script: scripts.report, summary: 'make a table or a page of all runs below a directory' },
  evaluate: { script: scripts.evaluate, summary: 'evaluate a checkpoint or an ONNX file' },
  export: { script: scripts.export, summary: 'export a student to ONNX, in float32 or int8' },
  logits: { script: scripts.logits, summary: 'write the logits of a teacher to a file' },
  inspect: { script: scripts.inspect, summary: 'print what is in a network, an ONNX file, a checkpoint or a run' },
  profile: { script: scripts.profile, summary: 'show where the time of a training step goes' },
  describe: {
    script: scripts.train,
    arguments: ([name = 'all', ...others]) => ['--describe', name, ...others],
    summary: 'print what a method does and its options, or a list of all',
  },
  doctor: { run: doctor, summary: 'print versions, machine and devices, and what is missing' },
};

async function main(): Promise<void> {
  const [name, ...given] = process.argv.slice(2);
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    process.stdout.write(usage());
    if (name === undefined) process.exitCode = 2;
    return;
  }
  if (name === '--version') {
    process.stdout.write(`${packageVersion}\n`);
    return;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    if (name.startsWith('-')) throw new UserError(`unknown option ${name}`, 2);
    const known = nearest(name, Object.keys(commands));
    const names = Object.keys(commands).join(', ');
    throw new UserError(
      `${name} is not a command; ${known === undefined ? `commands are ${names}` : `did you mean ${known}?`}`,
      2,
    );
  }
  const args = command.arguments?.(given) ?? given;
  if (command.run) return command.run(args);
  // A script reads the arguments of the process.
  process.argv.splice(2, Infinity, ...args);
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- only the chosen script is loaded, which takes a second
  require(scriptPath(command.script!));
}

function usage(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}\n`);
  return `usage: distillery <command> [options]\n\n${lines.join('')}\ndistillery <command> --help lists its options.\n`;
}

void runMain(main);
