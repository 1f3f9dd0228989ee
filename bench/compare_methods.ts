/**
 * Compares tuned methods over seeds. For each name in DIR/methods.json, in order: the search in DIR/tuning/NAME tunes the method,
 * DIR/students/NAME gets the params of its best trial, and the search there trains them with several seeds:
 *
 *   npx ts-node bench/compare_methods.ts --parent_dir experiments/methods_cifar10
 *
 * All searches share the teacher's outputs. The same command resumes; it keeps what is in DIR/students already.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runFiles, searchFiles } from '../runs/files';
import { readJournal } from '../search/journal';
import { readSettings } from '../search/settings/settings';
import { TrialHistory } from '../search/trials/trial_history';
import { trialsOf } from '../search/trials/trials';
import { parseArguments, runMain } from '../utils/cli';
import { UserError } from '../utils/errors';
import { readJson, readObject, writeJson } from '../utils/files';

const command = {
  name: 'bench/compare_methods.ts',
  summary: 'Tunes methods, then compares them over seeds.',
  flags: {
    parent_dir: { type: 'string', default: 'experiments/methods_cifar10', help: 'directory of the comparison' },
    epochs: { type: 'number', default: 12, help: 'epochs of the trainings that are compared' },
  },
} as const;

const seeds = [230, 231, 232];

async function main(): Promise<void> {
  const { parent_dir: parent, epochs } = parseArguments(process.argv.slice(2), command);
  const cache = join(parent, runFiles.teacherCache);
  for (const name of readJson(join(parent, 'methods.json')) as string[]) {
    const [tuning, students] = [join(parent, 'tuning', name), join(parent, 'students', name)];
    if (!existsSync(join(students, searchFiles.settings))) {
      if (!(await search(tuning, cache))) continue;
      mkdirSync(students, { recursive: true });
      writeJson(join(students, runFiles.params), { ...bestParams(tuning), num_epochs: epochs });
      writeJson(join(students, searchFiles.settings), { space: { seed: seeds }, n_jobs: 1 });
    }
    await search(students, cache);
  }
}

/** The params.json of the best complete trial. */
function bestParams(directory: string): Readonly<Record<string, unknown>> {
  const settings = readSettings(join(directory, searchFiles.settings));
  const trials = trialsOf(readJournal(join(directory, searchFiles.journal)));
  const [best] = new TrialHistory(settings, trials).ranked();
  if (best === undefined) throw new UserError(`${directory}: no trial is complete`);
  return readObject(join(directory, best.trial.name, runFiles.params));
}

/** Runs a search to its end. False if its trials failed: the next method has its turn. A UserError if it was interrupted. */
function search(directory: string, cache: string): Promise<boolean> {
  const script = ['search_hyperparams.ts', '--parent_dir', directory, '--teacher_cache', cache];
  const child = spawn(process.execPath, [require.resolve('ts-node/dist/bin'), ...script], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => {
      if (exitCode === 0 || exitCode === 1) resolve(exitCode === 0);
      else reject(new UserError(`${directory}: interrupted; the same command resumes`));
    });
  });
}

void runMain(main);
