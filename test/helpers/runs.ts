/** Directories as runs leave them: those of train.ts, and a collection in the layout of an earlier tool. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writePredictions, writeTeacherPredictions } from '../../runs/predictions';
import { writeTestImages } from '../../runs/test_images';

/** What a run of train.ts leaves; a file is left out where its content is undefined. */
export interface RunFiles {
  readonly params?: object;
  readonly history?: readonly object[];
  readonly val?: object;
  readonly last?: object;
  readonly test?: object;
  readonly run?: object;
}

/** Writes the files of a run; returns its directory. */
export function writeRun(directory: string, { params, history, val, last, test, run }: RunFiles): string {
  mkdirSync(directory, { recursive: true });
  const json = {
    'params.json': params,
    'metrics_val_best_weights.json': val,
    'metrics_val_last_weights.json': last,
    'metrics_test_best_weights.json': test,
    'run.json': run,
  };
  for (const [name, content] of Object.entries(json)) {
    if (content) writeFileSync(join(directory, name), JSON.stringify(content, null, 4));
  }
  const lines = history?.map((record) => `${JSON.stringify(record)}\n`);
  if (lines) writeFileSync(join(directory, 'metrics.jsonl'), lines.join(''));
  return directory;
}

/** A network's predictions for images of two classes: how many of each it gets right, and of how many. */
export interface Hits {
  readonly cat: readonly [right: number, images: number];
  readonly dog: readonly [right: number, images: number];
}

/** Writes predictions of a run, every confidence 0.75; `first` is the number of the first image. */
export function writeHits(directory: string, part: 'val' | 'test', { cat, dog }: Hits, epoch = 3, first = 0): void {
  const labels = [...Array<number>(cat[1]).fill(0), ...Array<number>(dog[1]).fill(1)];
  const isRight = [cat, dog].flatMap(([right, images]) => Array.from({ length: images }, (_, i) => i < right));
  const predictions = {
    indices: Int32Array.from(labels, (_, i) => first + i),
    labels: Int32Array.from(labels),
    predicted: Int32Array.from(labels, (label, i) => (isRight[i] ? label : 1 - label)),
    confidences: new Float32Array(labels.length).fill(0.75),
  };
  const path = join(directory, `predictions_${part}.safetensors`);
  writePredictions(path, predictions, { epoch, classes: ['cat', 'dog'] });
}

/** Classes of some test images, 0 for cats and 1 for dogs, and what networks take them for. */
export interface Seen {
  readonly labels: readonly number[];
  readonly student: readonly number[];
  readonly teacher?: readonly number[] | undefined;
  /** Of the student; 0.75 by default. */
  readonly confidences?: readonly number[];
}

/** The temperature and each soft target of the teacher of `writeSeen`. */
export const seenSoftly = { temperature: 4, largest: 0.625 };

/** Writes predictions for test images as a run with a teacher leaves them, or one without, and the images: gray squares. */
export function writeSeen(directory: string, { labels, student, teacher, confidences }: Seen, epoch = 3): void {
  const common = { indices: Int32Array.from(labels, (_, i) => i), labels: Int32Array.from(labels) };
  const fill = (value: number) => new Float32Array(labels.length).fill(value);
  const origin = { epoch, classes: ['cat', 'dog'] };
  const predicted = { predicted: Int32Array.from(student), confidences: Float32Array.from(confidences ?? fill(0.75)) };
  writePredictions(join(directory, 'predictions_test.safetensors'), { ...common, ...predicted }, origin);
  const pixels = Uint8Array.from({ length: 4 * labels.length }, (_, i) => 16 * Math.floor(i / 4));
  writeTestImages(join(directory, 'images_test.safetensors'), { indices: common.indices, shape: [1, 2, 2], pixels });
  if (!teacher) return;
  const { temperature, largest: p } = seenSoftly;
  writeTeacherPredictions(join(directory, 'predictions_teacher.safetensors'), {
    ...common,
    predicted: Int32Array.from(teacher),
    confidences: fill(0.875),
    classes: origin.classes,
    temperature,
    softConfidences: fill(p),
    softEntropies: fill(-p * Math.log(p) - (1 - p) * Math.log(1 - p)),
  });
}

/** The files of a finished run of train.ts, with a curve of `epochs` epochs whose last is the best. */
export function finished(params: object, accuracy: number, epochs = 3): RunFiles {
  const score = { accuracy: accuracy - 0.01, loss: 1.5 - accuracy, epoch: epochs, selected_on: 'validation' };
  return {
    params: { model_version: 'cnn', learning_rate: 0.001, num_epochs: epochs, ...params },
    history: Array.from({ length: epochs }, (_, i) => ({
      epoch: i + 1,
      learning_rate: 0.001,
      train: { accuracy: 0.5, loss: 2 / (i + 1) },
      val: { accuracy: (score.accuracy * (i + 1)) / epochs, loss: score.loss + epochs - i - 1 },
    })),
    val: score,
    last: score,
    test: { ...score, accuracy },
    run: {
      command: ['train.ts'],
      commit: null,
      seed: 230,
      threads: 2,
      parameters: 269722,
      flops_per_image: 81102080,
      seconds: 211.3,
    },
  };
}

/** Accuracies in %, a row for each alpha and a column for each temperature, as one directory of a search has them. */
interface Grid {
  readonly name: string;
  readonly params: object;
  readonly temperatures: readonly number[];
  readonly rows: Readonly<Record<string, readonly (number | undefined)[]>>;
}

/** What every params.json of them says; `subset_percent`, `augmentation` and `teacher` are missing here and there. */
const common = {
  model_version: 'cnn_distill',
  alpha: 0,
  temperature: 1,
  learning_rate: 0.001,
  batch_size: 128,
  num_epochs: 30,
  dropout_rate: 0,
  num_channels: 32,
  save_summary_steps: 100,
  num_workers: 4,
};

const grids: readonly Grid[] = [
  {
    name: 'cnn_distill_alpha_temp/alpha_{alpha}_Temp_{T}',
    params: { ...common, teacher: 'resnet18', dropout_rate: 0.5 },
    temperatures: [2, 5, 10, 20, 30],
    rows: {
      0.3: [83.72, 83.48, 83.91, 83.86, 83.72],
      0.5: [84.01, 83.45, 83.66, 83.18, 83.41],
      0.7: [83.44, 84.38, 84.04, 83.95, 83.89],
      0.9: [83.74, 83.88, 83.43, 82.78, 83.48],
      0.95: [84.494, 84.37, 83.52, 83.33, 84.14],
      0.99: [84.36, undefined, undefined, 83.74],
      0.999: [84.36, undefined, undefined, 84.0],
    },
  },
  {
    name: 'cnn_distill_nodropout_alpha_temp/alpha_{alpha}_Temp_{T.0}',
    params: { ...common, teacher: 'resnet18', subset_percent: 1.0 },
    temperatures: [1.5, 2, 3, 4.5, 6, 8, 10, 20],
    rows: {
      0.05: [85.36, 84.75, 84.36, 84.99, 84.81, 84.9, 84.58, 84.37],
      0.1: [85.14, 85.29, 84.86, 85.1, 84.47, 84.78, 84.85, 85.17],
      0.5: [85.69, 84.8, 85.02, 84.53, 84.84, 85.2, 84.56, 84.42],
      0.95: [81.53, 82.6, 84.97, 85.04, 85.05, 85.24, 85.6, 84.7],
      0.99: [66.63, 72.86, 78.37, 82.4, 84.36, 85.15, 85.25, 85.48],
    },
  },
  {
    name: 'cnn_distill_subset/alpha_{alpha}_Temp_{T.0}',
    params: { ...common, teacher: 'resnet18', subset_percent: 0.05, num_epochs: 50 },
    temperatures: [1, 2, 3, 4.5, 6, 8, 10, 20, 40],
    rows: {
      0.01: [65.52, 66.16, 65.12, 65.93, 65.57, 66.11, 65.31, 66.71, 66.11],
      0.1: [64.97, 66.17, 65.83, 65.43, 65.59, 65.47, 65.7, 66.02, 65.74],
      0.5: [65.91, 65.52, 65.35, 65.22, 65.14, 66.19, 65.97, 65.52, 65.63],
      0.95: [60.56, 64.85, 65.09, 66.02, 66.55, 64.64, 65.98, 65.23, 65.86],
      0.999: [16.73, 17.07, 18.38, 23.7, 37.74, 53.79, 61.45, 65.67, 65.63],
    },
  },
];

const whole = { ...common, subset_percent: 1.0, augmentation: 'yes' };
const resnet = { ...whole, model_version: 'resnet18_distill', alpha: 0.95, temperature: 6, learning_rate: 0.1 };

const alone: Readonly<Record<string, { params: object; accuracy: number; loss?: number }>> = {
  base_cnn: {
    params: { ...whole, model_version: 'cnn', augmentation: 'no', teacher: 'none', dropout_rate: 0.5 },
    accuracy: 0.83515,
    loss: 0.53,
  },
  'base_cnn/nodropout': {
    params: { ...whole, model_version: 'cnn', teacher: 'resnet18' },
    accuracy: 0.84741,
    loss: 0.49,
  },
  base_cnn_subset: {
    params: { ...whole, model_version: 'cnn', subset_percent: 0.05, teacher: 'none', num_epochs: 50 },
    accuracy: 0.65862,
    loss: 1.07,
  },
  base_resnet18: {
    params: { ...whole, model_version: 'resnet18', teacher: 'none', learning_rate: 0.1, num_epochs: 200 },
    accuracy: 0.941752,
    loss: 0.21,
  },
  cnn_distill: {
    params: { ...whole, teacher: 'resnet18', alpha: 0.9, temperature: 20, dropout_rate: 0.5 },
    accuracy: 0.8391,
  },
  'cnn_distill/nodropout': {
    params: { ...whole, teacher: 'resnet18', alpha: 0.9, temperature: 20 },
    accuracy: 0.84513,
  },
  'resnet18_distill/wrn_teacher': { params: { ...resnet, teacher: 'wrn', num_epochs: 170 }, accuracy: 0.94333 },
  'resnet18_distill/preresnet_teacher': {
    params: { ...resnet, teacher: 'preresnet110', num_epochs: 170 },
    accuracy: 0.94531,
  },
  'resnet18_distill/resnext_teacher': {
    params: { ...resnet, teacher: 'resnext29', num_epochs: 175 },
    accuracy: 0.94788,
  },
  'resnet18_distill/densenet_teacher': {
    params: { ...resnet, teacher: 'densenet', num_epochs: 200 },
    accuracy: 0.94729,
  },
};

/** Directories with a params.json that nobody ran: parents of a search, and a network that was never built. */
const plans = ['base_wrn', 'cnn_distill/noaug_nodrop', ...grids.map(({ name }) => name.split('/')[0]!)];

/**
 * The layout of 124 published runs: params.json with keys missing here and there, validation metrics of the best and,
 * sometimes, of the last epoch, and nothing else. A distilled one has a loss of 0.
 */
export function writePublishedRuns(parent: string): void {
  for (const name of plans) writeRun(join(parent, name), { params: whole });
  for (const [name, { params, accuracy, loss = 0 }] of Object.entries(alone)) {
    writeRun(join(parent, name), { params, val: { accuracy, loss }, last: { accuracy: accuracy - 0.002, loss } });
  }
  for (const { name, params, temperatures, rows } of grids) {
    for (const [alpha, accuracies] of Object.entries(rows)) {
      for (const [i, accuracy] of accuracies.entries()) {
        if (accuracy === undefined) continue;
        const temperature = temperatures[i]!;
        const directory = name
          .replace('{alpha}', alpha)
          .replace('{T}', String(temperature))
          .replace('{T.0}', temperature.toFixed(1));
        const val = { accuracy: accuracy / 100, loss: 0.0 };
        writeRun(join(parent, directory), { params: { ...params, alpha: Number(alpha), temperature }, val });
      }
    }
  }
}

/** Changes one bit of the last tensor in a file. */
export function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 2]! ^= 1;
  writeFileSync(path, bytes);
}
