/**
 * Tests all networks of model/nets/. What every network of the index must do: train, be saved, be loaded, answer. Run on all
 * of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { oneHot } from '../../../engine/ops/index';
import { minimize, OPTIMIZER_PREFIX, sgd } from '../../../engine/optimizers/index';
import { Session, State } from '../../../engine/session';
import { matchStateDict, readWeights } from '../../../formats/checkpoints';
import { ndarray, type NdArray } from '../../../formats/ndarray';
import { writeSafetensors } from '../../../formats/safetensors';
import { Evaluator } from '../../../model/evaluation/evaluator';
import { crossEntropy } from '../../../model/nets/cross_entropy';
import { nets } from '../../../model/nets/index';
import { Layers } from '../../../model/nets/layers';
import { evaluationGraph, parameterCount, specsOf } from '../../../model/nets/model';
import { draw } from '../../helpers/nets';

// A larger net is only built: its weights take memory, and the time to compile a step grows faster than its nodes.
// With SOAK=1 in the environment every net is trained.
const LARGEST = process.env.SOAK ? { parameters: Infinity, nodes: Infinity } : { parameters: 15e6, nodes: 5000 };

// BatchNorm of two values, which is all that a map of one pixel gives a batch of two, has gradients without bound; of
// four they are large still in the deepest nets for photographs, hence a small step.
const BATCH = 4;
const LEARNING_RATE = 1e-6;
const SHAPE = [3, 32, 32] as const;
const options = { classes: 7, numChannels: 8, dropoutRate: 0.25 };
const optimizer = sgd();

/** A training step on images and labels that are fed. */
function trainingStep(name: string) {
  const graph = new Graph();
  const images = graph.input('images', 'float32', [BATCH, ...SHAPE]);
  const labels = graph.input('labels', 'int32', [BATCH]);
  const outputs = nets[name]!.build(new Layers(graph, { mode: 'train', seed: 0 }), images, options);
  const loss = crossEntropy(outputs.logits, oneHot(labels, options.classes));
  minimize(loss, optimizer);
  graph.output('loss', loss);
  return { graph, ...outputs };
}

describe('every network', function () {
  this.timeout(process.env.SOAK ? 600_000 : 60_000);
  let directory: string;
  before(() => (directory = mkdtempSync(join(tmpdir(), 'nets-'))));
  after(() => rmSync(directory, { recursive: true }));

  for (const [name, { build }] of Object.entries(nets)) {
    it(name, async () => {
      const { graph, logits, pooled, features } = trainingStep(name);

      expect(logits.shape).to.deep.equal([BATCH, options.classes]);
      expect(pooled.shape).to.have.length(2);
      expect(pooled.shape[0]).to.equal(BATCH);
      const stages = Object.keys(features).filter((key) => /^stage\d+$/.test(key));
      expect(stages).to.deep.equal(stages.map((_, i) => `stage${i + 1}`));
      expect(stages).not.to.have.length(0);
      for (const key of Object.keys(features)) {
        expect(key).to.match(/^(stem|stage\d+|head)(\.preact)?$/);
        const [place] = key.split('.');
        expect(features[place!]?.shape, place).to.deep.equal(features[`${place}.preact`]?.shape);
        expect(features[key]!.shape[0], key).to.equal(BATCH);
      }

      const model = {
        net: build,
        options,
        normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
        input: SHAPE,
      };
      const expected = specsOf(evaluationGraph(model));
      const states = [...graph.states.keys()].filter((key) => !key.startsWith(OPTIMIZER_PREFIX));
      expect([...expected.keys()]).to.deep.equal(states);
      if (parameterCount(graph) > LARGEST.parameters || graph.nodes.length > LARGEST.nodes) return;

      const session = await Session.create(graph, { threads: 1 });
      // Drawn once: drawing the weights takes as long as a step.
      const initial = new Map([...graph.states].map(([key, state]) => [key, state.initial()]));
      const step = async (learningRate: number) => {
        const state = new State();
        for (const [key, array] of initial) state.set(key, array);
        const images = draw(0, 'images', [BATCH, ...SHAPE], -2, 2);
        const labels = ndarray(
          'int32',
          [BATCH],
          Int32Array.from({ length: BATCH }, (_, i) => i % options.classes),
        );
        const feeds = { images, labels, ...graph.feeds({ seed: 0, step: 1, epoch: 1, epochs: 1, learningRate }) };
        return { state, loss: (await session.run(feeds, state)).loss! };
      };
      const { state, loss } = await step(LEARNING_RATE);
      // A bias before BatchNorm has no gradient but rounding errors, which only a drastic step shows.
      const { state: far } = await step(1e4);
      await session.release();
      expect(allFinite(loss), 'the loss is finite').to.equal(true);
      for (const key of states) {
        expect(allFinite(state.get(key)), `${key} is finite`).to.equal(true);
        const before = initial.get(key)!.data;
        expect(
          far.get(key).data.some((value, i) => value !== before[i]),
          `${key} changes`,
        ).to.equal(true);
      }

      const path = join(directory, `${name}.safetensors`);
      writeSafetensors(path, new Map(states.map((key) => [key, state.get(key)])));
      const weights = matchStateDict(path, await readWeights(path), expected);
      rmSync(path);
      const evaluator = await Evaluator.create(model, weights, 1);
      const size = BATCH + 1;
      const pixels = Uint8Array.from(draw(0, 'pixels', [size, ...SHAPE], 0, 256).data);
      const answers = await evaluator.logits({ images: pixels, labels: new Int32Array(size), size });
      await evaluator.release();
      expect(answers.shape).to.deep.equal([size, options.classes]);
      expect(
        [...answers.data].every((value) => Number.isFinite(Number(value))),
        'logits are finite',
      ).to.equal(true);
    });
  }
});

function allFinite({ data }: NdArray): boolean {
  return data.every((value) => Number.isFinite(Number(value)));
}
