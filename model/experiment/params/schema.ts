/** What params.json accepts: a JSON schema for each key, whose `title` says what the key is and `description` what it accepts. */
import { optimizers } from '../../../engine/optimizers/index';
import { DEVICES, PRECISIONS } from '../../../utils/devices';
import { DURATION } from '../../../utils/duration';
import type { Schema } from '../../../utils/schema';
import {
  belowOne,
  fromZero,
  globs,
  integer,
  MAX_GLOBS,
  number,
  object,
  oneOf,
  part,
  partOrAll,
  positive,
  seed,
  share,
  text,
  type Options,
} from '../../../utils/schema_forms';
import { augmentationAliases, augmentations } from '../../data/augmentation/index';
import { normalizeSchema } from '../../data/normalize';
import { distillers, methodAliases, type Distiller } from '../../distillers/index';
import { isNetPath, nets, recipeOf } from '../../nets/index';
import { netOptions } from '../../nets/net_params';
import { isOnnxPath, startingWeights } from '../../nets/onnx_net';
import { outputsSchema } from '../../nets/onnx_outputs';
import { moduleOptions } from '../../nets/own_net';
import { weightsOptions } from '../../nets/weights_params';
import { teacherPrecisions } from '../../teachers/precision';
import { onNanPolicies } from '../../training/nan_guard';
import { versionAliases } from './current_names';
import {
  dataDirectory,
  datasetSchema,
  entryOf,
  namedSchema,
  scheduleSchema,
  teacherSchema,
  trackersSchema,
} from './forms';

/** Threads, and batches that are prefetched: more than any machine has use for. */
const MANY = 1024;

type File = Readonly<Record<string, unknown>>;

/** The net of `model_version`: what stands before `_distill`. */
export function netOf({ model_version: version }: { readonly model_version: string }): string {
  return version.replace(/_distill$/, '');
}

/**
 * The schema of a params.json that has these keys, each in its long form: the forms that they have, or else the defaults.
 * tools/params_doc.ts makes docs/params.md of it.
 */
export function paramsSchema(file: File = {}): Schema {
  return schemaFor(file, distillers);
}

/** The schema for one file, which is in its long form and may name `methods`. Defaults are filled in the order of its keys. */
export function schemaFor(file: File, methods: Readonly<Record<string, Distiller>>): Schema {
  const properties = {
    ...studentKeys(file, methods),
    ...lossKeys(file),
    ...stepKeys,
    ...dataKeys(file),
    ...teacherKeys(file),
    ...epochKeys,
    ...netOptions,
    ...savingKeys(file),
    ...optimizerKeys(file),
    ...runKeys,
  };
  return object(properties, ['model_version', 'learning_rate', 'num_epochs']);
}

function studentKeys(
  { model_version: version, model_outputs: outputs, method }: File,
  methods: Readonly<Record<string, Distiller>>,
): Options {
  const path = typeof version === 'string' && isNetPath(version) ? version : undefined;
  return {
    model_version: oneOf(
      [...Object.keys(nets).flatMap((name) => [name, `${name}_distill`]), ...(path === undefined ? [] : [path])],
      {
        aliases: versionAliases,
        title:
          'The student: a network, `<network>_distill` to distill it, or the path of an ONNX file or of a module, such as `"nets/my_net.onnx"` or `"./my_net.ts"`.',
      },
    ),
    ...((version === undefined || (path !== undefined && isOnnxPath(path))) && {
      model_weights: oneOf(startingWeights, {
        title: 'What the weights of a student from an ONNX file start as: `"file"` (the default) or `"random"`.',
      }),
      model_outputs: outputsSchema(
        outputs,
        'Values inside a student from an ONNX file by what methods call them: `pooled`, `stage1`, …, or names of your own.',
      ),
    }),
    ...moduleOptions(version, 'Options of a student from a module, which the module declares.'),
    method: {
      ...namedSchema(method, methods, methodAliases, 'a method or a list of some, each named once'),
      title:
        'What is minimized: a method by its name or as an object with its options, or a list of methods, whose losses are added. The default is `"kd"` for `<network>_distill` and `"nokd"` (cross-entropy alone) otherwise.',
    },
    init: object(
      {
        checkpoint: text({ title: 'A file of weights, or the directory of a run, whose best weights are used.' }),
        ...weightsOptions,
      },
      ['checkpoint'],
      {
        title: 'Where the weights of the student start from; random weights by default.',
      },
    ),
    freeze: globs('Globs of the parameters of the student that are not trained.'),
    freeze_batch_norm: oneOf(['eval', 'train'], {
      title:
        'How a frozen BatchNorm normalizes: `"eval"` (the default) by its running statistics, which stay as they are; `"train"` by the batch, which updates them.',
    }),
    learning_rates: {
      type: 'object',
      propertyNames: { minLength: 1, maxLength: 200, description: 'globs of 1 to 200 characters' },
      additionalProperties: number(positive),
      minProperties: 1,
      maxProperties: MAX_GLOBS,
      description: `an object of 1 to ${MAX_GLOBS} globs with a learning rate for each`,
      title:
        'Learning rates of single parameters by globs, such as `{ "fc*": 0.01 }`; the first glob that matches counts, and a schedule scales all rates alike.',
    },
  };
}

function lossKeys({ class_weights: weights }: File): Options {
  return {
    class_weights: {
      ...(Array.isArray(weights)
        ? { type: 'array', items: number(positive), minItems: 1 }
        : oneOf(['balanced'], { description: '"balanced" or an array with a number above 0 for each class' })),
      title:
        'Weights of the classes in the cross-entropy with the labels, as in PyTorch; `"balanced"` is n / (C · n_c). Validation and test losses are not weighted.',
    },
    label_smoothing: number({
      ...belowOne,
      title:
        'Label smoothing of the cross-entropy with the labels, as in PyTorch; not applied to validation and test losses.',
    }),
    label_noise: number({
      ...share,
      title:
        'Share of the training labels that are replaced by wrong ones, as a function of (seed, example); validation and test labels are untouched.',
    }),
    sampling: oneOf(['shuffled', 'balanced'], {
      title:
        '`"balanced"` shows each class equally often in an epoch of the same length; an example that comes twice in an epoch looks the same both times. The default is `"shuffled"`.',
    }),
  };
}

const stepKeys: Options = {
  accumulate: integer({
    minimum: 1,
    title:
      'Gradient accumulation: how many batches make one optimizer step (1 by default). Equivalent to one large batch, except for what looks at a batch as a whole: BatchNorm, means weighted by `class_weights`, losses between examples. The last step of an epoch takes the batches that are left.',
  }),
  clip_norm: number({
    ...positive,
    title: 'Maximum norm of the gradient of all parameters together, as in `clip_grad_norm_` of PyTorch.',
  }),
  ema: number({
    ...part,
    title:
      'Decay d of an exponential moving average of weights and BatchNorm statistics, a ← d · a + (1 − d) · w after each optimizer step. The average is what is validated, kept as best, tested and exported.',
  }),
  early_stopping: object(
    {
      patience: integer({ minimum: 1, title: 'Epochs without improvement before the run ends.' }),
      min_delta: number({ ...fromZero, default: 0, title: 'How much better an accuracy must be to count.' }),
    },
    ['patience'],
    {
      title:
        'Ends the run after `patience` epochs without a validation accuracy that is better than the best one by more than `min_delta`.',
    },
  ),
  on_nan: oneOf(onNanPolicies, {
    title:
      'What happens if a loss, gradient or new weight is NaN or infinite: `"stop"` (the default) ends the run; `"skip"` leaves the step out, at most 9 times in a row; `"restore"` returns to the beginning of the epoch and halves the learning rate, at most 5 times.',
  }),
};

function dataKeys({ dataset, augmentation, validation }: File): Options {
  return {
    dataset: datasetSchema(dataset, { title: 'The data set, by its name or as an object with its options.' }),
    normalize: normalizeSchema(
      'Mean and standard deviation of each channel, for pixels in [0, 1]; those of the data set by default. They apply to the student in training, evaluation and exports, and to teachers without their own.',
    ),
    data_dir: text({
      default: dataDirectory(dataset),
      title: 'Directory of the files of the data set; the default depends on the data set.',
    }),
    subset_percent: number({
      ...partOrAll,
      default: 1,
      title: 'Share of the training set that is used, as a fraction: 0.1 is a tenth.',
    }),
    augmentation: {
      ...(Array.isArray(augmentation)
        ? namedSchema(
            augmentation,
            augmentations,
            augmentationAliases,
            '"yes", "no" or a list of augmentations, each named once',
          )
        : oneOf(['yes', 'no'], { default: 'yes' })),
      title:
        '`"yes"` is what is usual for the data set: random crop (padding 4) and flip; no flip for MNIST and its relatives; random resized crop and flip for image folders. Or a list of augmentations, by name or with options.',
    },
    validation: {
      ...(typeof validation === 'string' ? oneOf(['val', 'test']) : number(part)),
      description: '"val", "test" or a number between 0 and 1, both excluded',
      default: 0.1,
      title:
        'Share of the training set that is held out to choose the best epoch; or `"val"`, the validation images of the data set; or `"test"`, the test images.',
    },
  };
}

function teacherKeys({ teacher }: File): Options {
  return {
    teacher: teacherSchema(teacher, { title: 'The teacher, or a list of teachers, whose logits are averaged.' }),
    teacher_views: integer({
      minimum: 1,
      title:
        'Number of fixed augmentations of each image, shown in turn: epoch e shows an image as epoch ((e − 1) mod views) + 1 did. Less variety, but the teacher runs in the first epochs only. By default every epoch has new ones.',
    }),
    teacher_cache_gigabytes: number({
      ...fromZero,
      title: 'Maximum size of the cache of teacher outputs (10 by default); 0 turns it off. It changes no result.',
    }),
    teacher_precision: oneOf(teacherPrecisions, {
      title:
        'What the teacher computes in: `"float32"` (the default) or `"int8"`, which is faster on a CPU, for methods that read logits alone.',
    }),
    teacher_agreement: number({
      ...share,
      title:
        'Share of the validation images on which a teacher in int8 must predict the same class as in float32 (0.98 by default); below it, the run warns and goes back to float32.',
    }),
    alpha: number({
      ...share,
      default: 0.9,
      title: 'Weight of the soft targets in methods like `kd`; the cross-entropy with the labels has weight 1 − alpha.',
    }),
    temperature: number({ ...positive, default: 4, title: 'Temperature of the softmax of soft targets.' }),
    kl_reduction: oneOf(['batchmean', 'mean'], {
      default: 'batchmean',
      title:
        '`"batchmean"` averages the KL divergence over examples; `"mean"` divides by the number of classes as well, as `nn.KLDivLoss()` does by default.',
    }),
  };
}

const epochKeys: Options = {
  learning_rate: number({ ...positive, title: 'Learning rate before the schedule.' }),
  batch_size: integer({
    minimum: 1,
    default: 128,
    title: 'Examples per step; at least 2 for networks that apply BatchNorm to vectors, such as `cnn`.',
  }),
  num_epochs: integer({ minimum: 1, title: 'Number of epochs. It may be raised when a run resumes.' }),
};

const savingKeys = ({ trackers }: File): Options => ({
  save_summary_steps: integer({ minimum: 1, default: 100, title: 'Steps between two points in TensorBoard.' }),
  checkpoint_every: text({
    pattern: DURATION,
    default: '10m',
    description: 'a length of time such as "30s", "10m" or "1h30m"',
    title:
      'Maximum time between two checkpoints; `"0s"` saves after each step. There is one after each epoch in any case. It changes no result.',
  }),
  num_workers: integer({
    minimum: 0,
    maximum: MANY,
    default: 4,
    title:
      'Number of batches that the loader prefetches for image folders; other data sets are in memory. It is not a number of processes.',
  }),
  trackers: trackersSchema(
    trackers,
    'Where metrics go while a run trains, `"tensorboard"` and `"mlflow"`, by name or with options; `["tensorboard"]` by default, `[]` for none.',
  ),
});

/**
 * The options of all optimizers are keys of params.json. Defaults are filled for the one that is chosen, and for SGD's whichever
 * it is: runs have them since there was no other optimizer with options.
 */
function optimizerKeys({ model_version: version, optimizer, schedule, learning_rate: base }: File): Options {
  const net = typeof version === 'string' ? netOf({ model_version: version }) : undefined;
  const recipe = net === undefined ? undefined : recipeOf(net);
  const others = Object.values(optimizers).flatMap(({ options }) => Object.entries(options));
  return {
    optimizer: oneOf(Object.keys(optimizers), {
      default: recipe?.optimizer,
      title:
        'The optimizer; by default that of the recipe of the network, `"adam"` for `cnn` and `"sgd"` for most others.',
    }),
    ...Object.fromEntries(others.map(([key, schema]) => [key, { ...schema, default: undefined }])),
    ...optimizers.sgd!.options,
    ...entryOf(optimizers, optimizer ?? recipe?.optimizer)?.options,
    weight_decay: number({
      ...fromZero,
      default: recipe?.weight_decay,
      title: 'Weight decay; by default that of the recipe of the network, 0 for `cnn` and 5e-4 for most others.',
    }),
    schedule: scheduleSchema(schedule ?? recipe?.schedule, base, {
      default: recipe?.schedule,
      title: 'Learning rate schedule; by default that of the recipe of the network.',
    }),
  };
}

const runKeys: Options = {
  seed: seed(230, 'Seed of everything random: initial weights, order, augmentation, held-out images.'),
  threads: integer({
    minimum: 0,
    maximum: MANY,
    default: 0,
    title:
      'Threads of a training step; 0 is one per core. More threads than cores print a warning, more than four per core are refused. Evaluation takes at most one per core.',
  }),
  device: oneOf(DEVICES, { title: 'What steps, teacher and evaluation run on; `"auto"` by default.' }),
  precision: oneOf(PRECISIONS, {
    title:
      'Precision of convolutions and matrix products in training steps; `"float16"` needs a GPU. `"float32"` by default.',
  }),
};
