/** What the benches train: a network on drawn images, by the steps of train.ts. */
import { optimizers } from '../engine/optimizers';
import { Session, State } from '../engine/session';
import type { StoredDataset } from '../model/data/dataset';
import { batches, type Batch } from '../model/data/loader';
import { makeShapes } from '../model/data/sets/shapes';
import { distillers } from '../model/distillers';
import { nets } from '../model/nets';
import type { Model } from '../model/nets/model';
import { trainingGraph } from '../model/training/step_graph';
import { Trainer, withCheck } from '../model/training/trainer';
import { oneOf } from '../utils/cli';

const SEED = 0;
const RATE = 0.01;

export interface Subject {
  readonly trainer: Trainer;
  /** Augmented batches without end. */
  readonly batches: Iterator<Batch, void>;
}

/** The steps of a network by the optimizer of its recipe; a name that is none is a UserError. */
export function subject(name: string, batchSize: number, threads: number): Subject {
  const { model, dataset, options } = training(name, batchSize);
  return { trainer: Trainer.create(model, [batchSize], { ...options, threads }), batches: endless(dataset, batchSize) };
}

/** Milliseconds that it takes to build the step of a network with its first weights, and to compile it. */
export async function compileTimes(name: string, batchSize: number, threads: number) {
  const { model, options } = training(name, batchSize);
  const began = performance.now();
  const graph = withCheck(trainingGraph(model, { ...options, batchSize }));
  State.initial(graph);
  const built = performance.now();
  const session = await Session.create(graph, { threads });
  const compiled = performance.now();
  await session.release();
  return { nodes: graph.nodes.length, graph: built - began, session: compiled - built };
}

function training(name: string, batchSize: number) {
  const { build, recipe } = nets[oneOf('net', name, Object.keys(nets))]!;
  const dataset = makeShapes({ train: 2 * batchSize, test: 1, seed: SEED });
  const model: Model = {
    net: build,
    options: { classes: dataset.classes.length, numChannels: 32, dropoutRate: name === 'cnn' ? 0.5 : 0 },
    normalize: dataset.normalize,
    input: dataset.shape,
  };
  const optimizer = optimizers[recipe.optimizer]!.make({
    learningRate: RATE,
    momentum: 0.9,
    nesterov: false,
    weightDecay: recipe.weight_decay,
  });
  const options = {
    seed: SEED,
    methods: [{ name: 'nokd', distiller: distillers.nokd!, options: {} }],
    examples: dataset.train.size,
    optimizer,
    alpha: 0,
    temperature: 1,
    klReduction: 'batchmean' as const,
  };
  return { model, dataset, options };
}

function* endless(dataset: StoredDataset, batchSize: number): Generator<Batch, void> {
  const indices = Uint32Array.from({ length: dataset.train.size }, (_, i) => i);
  const options = { shape: dataset.shape, batchSize, seed: SEED, shuffle: true, augment: true };
  for (let epoch = 1; ; epoch++) yield* batches(dataset.train, indices, { ...options, epoch });
}

/** One step, step `step` counted from 1; milliseconds from asking for the batch to the new weights. */
export async function timedStep({ trainer, batches }: Subject, step: number): Promise<number> {
  const began = performance.now();
  const { value: batch } = batches.next();
  await trainer.step(batch!, { step, epoch: 1, epochs: 1, learningRate: RATE });
  return performance.now() - began;
}
