/** A directory with an experiment to begin with. */
import { basename, join, relative, sep } from 'node:path';
import { runFiles, searchFiles } from '../runs/files';
import { parseArguments } from '../utils/cli';
import { commandLine } from '../utils/commands';
import { UserError } from '../utils/errors';
import { isThere, makeDirectory, writeFileAtomic } from '../utils/files';

const root = join(__dirname, '..');
const command = { name: 'new', summary: 'Writes an experiment: distillery new <directory>', flags: {} } as const;

/** Writes `params.json`, `search.json` and `README.md` into a new directory. Throws a UserError if it is there already. */
export function newExperiment(args: readonly string[]): Promise<void> {
  const [directory, ...others] = args;
  parseArguments(directory?.startsWith('-') === false ? others : args, command);
  if (directory === undefined) throw new UserError('the directory is missing: distillery new <directory>', 2);
  if (isThere(directory)) throw new UserError(`${directory}: exists already; name a new directory`);
  const schema = (name: string) => pathFrom(directory, join(root, 'schemas', name));
  const teacher = pathFrom('.', join(root, 'experiments', 'quickstart', 'teacher', runFiles.best));
  makeDirectory(directory);
  const write = (name: string, content: string) => writeFileAtomic(join(directory, name), content);
  write(runFiles.params, paramsFor(schema('params.schema.json'), teacher));
  write(searchFiles.settings, searchFor(schema('search.schema.json')));
  write('README.md', readmeFor(directory));
  process.stdout.write(`${directory} written; train it with: ${commandLine('train')} --model_dir ${directory}\n`);
  return Promise.resolve();
}

/** As it is written in a file on any system. */
function pathFrom(directory: string, path: string): string {
  return relative(directory, path).split(sep).join('/');
}

const paramsFor = (schema: string, teacher: string) => `{
    "$schema": ${JSON.stringify(schema)},
    "model_version": "cnn_distill",
    "teacher": { "model": "resnet20", "checkpoint": ${JSON.stringify(teacher)} },
    "method": "kd",
    "alpha": 0.9,
    "temperature": 4,
    "dataset": { "name": "shapes", "train": 2000, "test": 2000, "seed": 0 },
    "learning_rate": 0.001,
    "batch_size": 64,
    "num_epochs": 5,
    "dropout_rate": 0
}
`;

const searchFor = (schema: string) => `{
    "$schema": ${JSON.stringify(schema)},
    "space": {
        "alpha": { "low": 0.1, "high": 0.99 },
        "temperature": { "low": 1, "high": 20, "log": true }
    },
    "sampler": "tpe",
    "n_trials": 12,
    "pruner": "median"
}
`;

const readmeFor = (directory: string) => `# ${basename(directory)}

\`\`\`bash
${commandLine('train')} --model_dir ${directory}
${commandLine('search')} --parent_dir ${directory}
${commandLine('report')} --parent_dir ${directory} --format html
\`\`\`

\`params.json\` describes one experiment, \`search.json\` which of its keys a search varies. Editors that read JSON schemas, such as
VS Code, complete and explain the keys.
`;
