/**
 * What search.json accepts, as JSON schemas: one for a given file, in which each key has the form that the file uses, so
 * that a message is about that form and its defaults can be filled; and one with every form, for editors. In both,
 * `title` says what a key is for and `description` what it accepts.
 */
import { isObject } from '../../utils/json';
import type { Schema } from '../../utils/schema';
import { pruners } from '../pruners/index';
import { samplers } from '../samplers/index';
import { anySpace, spaceForm } from '../space/schema';
import { namings } from '../trials/trial_name';
import { formerNames, namedAsIn } from './former_names';

type File = Readonly<Record<string, unknown>>;

const object = (properties: Schema, required: string[] = [], more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  ...more,
});
const integer = (minimum: number, more: Schema = {}): Schema => ({ type: 'integer', minimum, ...more });
const text = (pattern: string, description: string): Schema => ({ type: 'string', pattern, description });

/** Every trial is looked at for every next one. */
export const MAX_TRIALS = 10_000;

type Plugins = Readonly<Record<string, { readonly options: Schema }>>;

/** The long form of one sampler or pruner. */
function pluginForm(plugins: Plugins, name: string): Schema {
  return object({ name: { enum: [name] }, ...plugins[name]!.options }, ['name']);
}

function chosenPlugin(plugins: Plugins, chosen: unknown): Schema {
  const names = Object.keys(plugins);
  const name = isObject(chosen) && typeof chosen.name === 'string' ? chosen.name : '';
  if (names.includes(name)) return pluginForm(plugins, name);
  return isObject(chosen) ? object({ name: { enum: names } }, ['name']) : { enum: names };
}

function anyPlugin(plugins: Plugins): Schema {
  const names = Object.keys(plugins);
  return { anyOf: [{ enum: names }, ...names.map((name) => pluginForm(plugins, name))] };
}

/** Options of sbatch that the launcher sets itself, and those that have keys of their own. */
const ownOptions =
  'parsable|job-name|chdir|output|error|open-mode|comment|wrap|array|ntasks|wait|test-only|' +
  'partition|time|gres|cpus-per-task|mem|account|qos|constraint|exclude|signal';

const slurm = object(
  {
    partition: text('^[A-Za-z0-9_.,-]+$', 'the name of a partition'),
    time: text('^([0-9]+-)?[0-9]+(:[0-9]{1,2}){0,2}$', 'a time as Slurm writes it, as in "4:00:00" or "1-12:00:00"'),
    gres: text('^[A-Za-z0-9_.:,-]+$', 'generic resources, as in "gpu:1"'),
    cpus: integer(1),
    memory: text('^[0-9]+[KMGT]?$', 'an amount of memory, as in "8G"'),
    memory_factor: {
      type: 'number',
      minimum: 1,
      maximum: 16,
      description: 'a number from 1 to 16',
      title: 'Factor by which the memory request grows after a trial ran out of memory. Default: 1.5.',
    },
    account: text('^[A-Za-z0-9_.@-]+$', 'the name of an account'),
    qos: text('^[A-Za-z0-9_.@-]+$', 'the name of a quality of service'),
    constraint: text('^[A-Za-z0-9_.,:=&|!*()[\\]-]+$', 'features of nodes, as in "a100|h100"'),
    nodes_exclude: text('^[A-Za-z0-9_.,[\\]-]+$', 'names of nodes, as in "node7" or "gpu[01-04]"'),
    signal: {
      ...text('^(TERM|INT)@[1-9][0-9]{0,4}$', 'a signal and seconds, as in "TERM@120"'),
      title: 'Signal that tells the trainer to save and exit, and how many seconds before the time limit it is sent.',
    },
    setup: {
      type: 'array',
      items: text('^[^\\n\\r\\0]*$', 'a line of a shell script'),
      title: 'Lines of the batch script that run before the trainer, as in "module load cuda".',
    },
    options: {
      type: 'array',
      items: text(
        `^--(?!(${ownOptions})(=|$))[a-z][a-z0-9-]*(=[^\\n\\r\\0]*)?$`,
        'an option of sbatch that has no key here and that the launcher does not set, as in "--reservation=course"',
      ),
      title: 'Further options of sbatch, one per element.',
    },
    array_limit: integer(1, {
      title:
        'Maximum number of jobs at a time. Default: all, or a tenth of the trials if the sampler or pruner learns from earlier ones.',
    }),
  },
  [],
  { title: 'Resources that each trial requests from Slurm.', default: {} },
);

const path = text('^[^\\0]+$', 'the path of a file');
const study = object({ path, study_name: { type: 'string', minLength: 1 } }, ['path'], {
  description: 'the path of a file, or an object with "path" and, where it has several studies, "study_name"',
});

const named = (keys: string, values: Schema, description: string): Schema => ({
  type: 'object',
  propertyNames: { pattern: keys, description },
  additionalProperties: values,
});

const ray = object(
  {
    address: {
      ...text('^https?://[^\\s/]+/*$', 'an address such as "http://head:8265"'),
      title:
        "Address of the dashboard of the Ray head. Default: the environment variable RAY_API_SERVER_ADDRESS, or Ray's port on this machine.",
    },
    cpus: integer(1),
    gpus: { type: 'number', minimum: 0, title: 'GPUs of each trial; without any, Ray hides those that there are.' },
    memory: text('^[1-9][0-9]*[KMGT]$', 'an amount of memory, as in "8G"'),
    resources: {
      ...named('^[^\\s]+$', { type: 'number', exclusiveMinimum: 0 }, 'names of resources'),
      title: 'Custom resources of the cluster, as in {"a100": 1}.',
    },
    env: {
      ...named('^[A-Za-z_][A-Za-z0-9_]*$', { type: 'string' }, 'names of environment variables'),
      title: 'Environment variables of the trainer.',
    },
  },
  [],
  { title: 'Resources that each trial requests from Ray.', default: {} },
);

function schemaOf(space: Schema, sampler: Schema, pruner: Schema, optuna: Schema): Schema {
  const seconds = '"90s", "30m", "2h" or "1h30m"';
  return object(
    {
      $schema: { type: 'string', title: 'Path of this schema, for editors.' },
      space: {
        ...space,
        title: 'Search space: keys of params.json, nested ones with dots ("schedule.gamma"), and the values to try.',
      },
      sampler: { ...sampler, default: 'grid', title: 'Sampler that chooses the points.' },
      n_trials: integer(1, {
        maximum: MAX_TRIALS,
        title: 'Total number of trials, including those already done. Default: the whole grid, or 40.',
      }),
      seed: integer(0, {
        maximum: 2 ** 32 - 1,
        default: 230,
        title: 'Seed of the sampler; the seed of the trainings is in params.json.',
      }),
      repeats: integer(1, { default: 1, title: 'Number of trainings per point, each with its own seed.' }),
      pruner: { ...pruner, default: 'none', title: 'Pruner that stops unpromising trials early.' },
      metric: {
        ...text('^(train|val)_[a-z0-9_]+$', '"train_" or "val_" and a number of metrics.jsonl, as in "val_accuracy"'),
        default: 'val_accuracy',
        title: 'Metric that trials are compared by.',
      },
      direction: {
        enum: ['maximize', 'minimize'],
        title: 'Direction of the metric. Default: "minimize" for losses, "maximize" otherwise.',
      },
      n_jobs: integer(1, {
        title: 'Number of parallel trials. Default: the number of cores divided by threads_per_trial.',
      }),
      threads_per_trial: integer(1, { default: 1, title: 'Threads per trial.' }),
      max_failures: integer(0, { default: 3, title: 'Maximum number of failed trials; one more stops the search.' }),
      retries: integer(0, { default: 1, title: 'How often a failed trial is retried.' }),
      trial_timeout: {
        ...text('^(?=.*[1-9])([0-9]+h)?([0-9]+m)?([0-9]+s)?$', seconds),
        title: 'Maximum training time of a trial, summed over its starts.',
      },
      launcher: { enum: ['local', 'slurm', 'ray'], default: 'local', title: 'Where trials run.' },
      slurm,
      ray,
      names: {
        enum: namings,
        default: 'plain',
        title: 'Names of trial directories: alpha_0.5_temperature_4 (plain) or alpha_0.5_Temp_4.0 (classic).',
      },
      optuna: {
        ...optuna,
        title:
          'Journal file of an Optuna study whose trials the sampler learns from, or an object with path and study_name.',
      },
    },
    ['space'],
  );
}

/** The schema of one search.json, whose sampler and pruner are in their long form; its keys have the names that the file uses. */
export function schemaFor(file: File): Schema {
  const { space, sampler, pruner } = file;
  const schema = schemaOf(spaceForm(space), chosenPlugin(samplers, sampler), chosenPlugin(pruners, pruner), study);
  return { ...schema, properties: namedAsIn(file, schema.properties as Schema) };
}

/** The schema of every search.json, for editors; schemas/search.schema.json holds it. */
export function editorSchema(): Schema {
  const schema = schemaOf(anySpace, anyPlugin(samplers), anyPlugin(pruners), { anyOf: [path, study] });
  const properties = schema.properties as Readonly<Record<string, Schema>>;
  const former = formerNames.map(([name, present]) => [
    name,
    { ...properties[present], title: `The former name of "${present}".`, deprecated: true },
  ]);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'search.json: a search for hyperparameters',
    ...schema,
    properties: { ...properties, ...Object.fromEntries(former) },
  };
}
