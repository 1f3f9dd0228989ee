/**
 * Tells how long a training step waits for its batch, and how many photographs a second come out of a folder beside what
 * the decoder alone can do with them:
 *
 *   npx ts-node bench/loader.ts --folder data/hymenoptera_data
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import sharp from 'sharp';
import { table } from 'table';
import { adam } from '../engine/optimizers';
import { augmentationSteps } from '../model/data/augmentation';
import type { Dataset } from '../model/data/dataset';
import { loadBatches } from '../model/data/loader';
import { loadCifar10 } from '../model/data/sets/cifar10';
import { loadFolder } from '../model/data/sets/folder';
import { makeShapes } from '../model/data/sets/shapes';
import { distillers } from '../model/distillers';
import { allOf } from '../model/evaluation/evaluator';
import { nets } from '../model/nets';
import type { Model } from '../model/nets/model';
import { Trainer } from '../model/training/trainer';
import { parseArguments, runMain } from '../utils/cli';
import { median } from '../utils/median';
import { Random } from '../utils/random';

const SEED = 0;
const SIZE = 224;
/** Shorter side of a photograph before its crop. */
const SIDE = 256;

const command = {
  name: 'bench/loader.ts',
  summary: 'Times the loader: how long steps wait for it, and its images a second beside the decoder’s.',
  flags: {
    data_dir: { type: 'string', default: 'data/cifar-10-batches-bin', help: 'CIFAR-10; where absent, shapes' },
    folder: { type: 'string', help: 'photographs in {train,val}/<class>; where absent, they are made' },
    images: { type: 'number', default: 300, help: 'photographs that are made' },
    num_workers: { type: 'number', default: 2, help: 'batches that are made ready ahead of a step' },
    threads: { type: 'number', default: 0, help: 'threads of the steps; 0: one a core' },
    steps: { type: 'number', default: 20, help: 'steps of each network' },
    rounds: { type: 'number', default: 3, help: 'how often each way to read takes its turn' },
  },
} as const;

interface Setting {
  readonly ahead: number;
  readonly threads: number;
  readonly steps: number;
}

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const scratch = mkdtempSync(join(tmpdir(), 'bench-loader-'));
  try {
    const dir = args.folder ?? (await makePhotographs(join(scratch, 'photographs'), args.images));
    let opened = 0;
    /** Opens the folder for the first time, as it seems to it. */
    const open = (cache_gigabytes: number) =>
      loadFolder({
        name: 'folder',
        dir,
        size: SIZE,
        resize: SIDE,
        test: 0.2,
        seed: 0,
        on_bad_image: 'skip',
        cache: join(scratch, `cache_${opened++}`),
        cache_gigabytes,
      });
    const kept = await open(20);
    const decoded = await open(0);

    const setting = { ahead: args.num_workers, threads: args.threads, steps: args.steps };
    const small = existsSync(args.data_dir)
      ? loadCifar10(args.data_dir)
      : makeShapes({ train: 10_000, test: 1, seed: SEED });
    const waits = [
      await waiting('cnn', small, 128, setting),
      await waiting('resnet8_imagenet', kept, 32, setting),
      await waiting('resnet8_imagenet', decoded, 32, setting),
    ];
    const [onCnn, onKept, onDecoded] = waits.map((share) => `${(100 * share).toFixed(2)} %`);
    process.stdout.write(`Share of the time in which ${args.steps} steps wait, ${args.num_workers} batches ahead:\n`);
    process.stdout.write(
      table([
        [`cnn, ${small.name}, batch 128`, onCnn],
        [`resnet8_imagenet, photographs at ${SIZE} from the cache, batch 32`, onKept],
        [`resnet8_imagenet, photographs at ${SIZE} decoded each time, batch 32`, onDecoded],
      ]),
    );

    const paths = photographsIn(join(dir, 'train'));
    const ways: Readonly<Record<string, () => Promise<number>>> = {
      'sharp alone: decode, resize': () => decodeAll(paths, resized),
      'sharp alone: decode, resize, crop, resize': () => decodeAll(paths, cropped),
      'first start: check, decode, keep': async () => {
        const began = performance.now();
        const { train, test } = await open(20);
        return (train.size + test.size) / seconds(began);
      },
      'loader, decoding each time': () => pass(decoded, args.num_workers),
      'loader, from the cache': () => pass(kept, args.num_workers),
    };
    const rates = Object.keys(ways).map((): number[] => []);
    for (let round = 0; round < args.rounds; round++) {
      for (const [i, way] of Object.values(ways).entries()) rates[i]!.push(await way());
    }
    const alone = median(rates[0]!);
    const row = (name: string, rate: number) => [name, rate.toFixed(0), (rate / alone).toFixed(2)];
    const cores = availableParallelism();
    process.stdout.write(`${paths.length} photographs on ${cores} cores, medians of ${args.rounds} rounds:\n`);
    process.stdout.write(
      table([
        ['', 'images a second', 'of the decoder'],
        ...Object.keys(ways).map((name, i) => row(name, median(rates[i]!))),
      ]),
    );
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Share of the time of a run in which its step waits for the next batch; the first step, which compiles, is left out. */
async function waiting(name: string, dataset: Dataset, batchSize: number, setting: Setting): Promise<number> {
  const { ahead, threads, steps } = setting;
  const model: Model = {
    net: nets[name]!.build,
    options: { classes: dataset.classes.length, numChannels: 32, dropoutRate: name === 'cnn' ? 0.5 : 0 },
    normalize: dataset.normalize,
    input: dataset.shape,
  };
  const full = Math.min(batchSize, dataset.train.size);
  const trainer = Trainer.create(model, [full], {
    seed: SEED,
    methods: [{ name: 'nokd', distiller: distillers.nokd!, options: {} }],
    examples: dataset.train.size,
    optimizer: adam(),
    alpha: 0,
    temperature: 1,
    klReduction: 'batchmean',
    threads,
  });
  let [step, waited, worked] = [0, 0, 0];
  for (let epoch = 1; step <= steps; epoch++) {
    let asked = performance.now();
    for await (const batch of passOver(dataset, full, epoch, ahead)) {
      if (batch.size < full || step > steps) break;
      const came = performance.now();
      await trainer.step(batch, { step: ++step, epoch, epochs: epoch, learningRate: 0.001 });
      const done = performance.now();
      if (step > 1) {
        waited += came - asked;
        worked += done - came;
      }
      asked = done;
    }
  }
  await trainer.release();
  return waited / (waited + worked);
}

/** Images a second of a pass over the training images, as they are trained on. */
async function pass(dataset: Dataset, ahead: number): Promise<number> {
  const began = performance.now();
  let images = 0;
  for await (const batch of passOver(dataset, 32, 1, ahead)) images += batch.size;
  return images / seconds(began);
}

function passOver(dataset: Dataset, batchSize: number, epoch: number, ahead: number) {
  const augment = augmentationSteps('yes', dataset.augmentation);
  const { train, shape } = dataset;
  return loadBatches(train, allOf(train), { shape, batchSize, seed: SEED, epoch, shuffle: true, augment, ahead });
}

/** Images a second, with as many files at a time as keep the threads of the decoder busy. */
async function decodeAll(paths: readonly string[], read: (path: string) => Promise<unknown>): Promise<number> {
  const limit = pLimit(32);
  const began = performance.now();
  await Promise.all(paths.map((path) => limit(read, path)));
  return paths.length / seconds(began);
}

function resized(path: string) {
  const image = sharp(path).resize(SIDE, SIDE, { fit: 'outside', kernel: 'linear' }).raw();
  return image.toBuffer({ resolveWithObject: true });
}

async function cropped(path: string): Promise<Uint8Array> {
  const { data, info } = await resized(path);
  const { width, height, channels } = info;
  const region = { left: 10, top: 10, width: Math.floor(0.8 * width), height: Math.floor(0.8 * height) };
  const image = sharp(data, { raw: { width, height, channels } }).extract(region);
  return image.resize(SIZE, SIZE, { fit: 'fill', kernel: 'linear' }).raw().toBuffer();
}

function photographsIn(dir: string): string[] {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true });
  return files.filter((file) => /\.jpe?g$/i.test(file.name)).map((file) => join(file.parentPath, file.name));
}

/** JPEGs of 500 × 375 pixels, blurred noise with grain on it, of about 110 kB as those of hymenoptera have. */
async function makePhotographs(dir: string, count: number): Promise<string> {
  const noise = (width: number, height: number, i: number, range: number) => {
    const values = new Float32Array(width * height * 3);
    new Random(SEED, `photograph ${width}`).fillUniform(values, 0, range, i);
    return sharp(Uint8Array.from(values), { raw: { width, height, channels: 3 } });
  };
  for (const [part, size] of Object.entries({ train: count, val: 20 })) {
    for (const name of ['even', 'odd']) mkdirSync(join(dir, part, name), { recursive: true });
    for (let i = 0; i < size; i++) {
      const grain = await noise(500, 375, i, 120).png().toBuffer();
      const coarse = await noise(20, 15, i, 256).resize(500, 375, { kernel: 'cubic' }).png().toBuffer();
      const path = join(dir, part, i % 2 === 0 ? 'even' : 'odd', `${i}.jpg`);
      await sharp(coarse)
        .composite([{ input: grain, blend: 'add' }])
        .jpeg({ quality: 90 })
        .toFile(path);
    }
  }
  return dir;
}

function seconds(began: number): number {
  return (performance.now() - began) / 1000;
}

void runMain(main);
