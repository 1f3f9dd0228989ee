/** Tests the methods of model/distillers/features/ that train layers beside the student. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { Graph } from '../../../engine/graph';
import { sgd } from '../../../engine/optimizers';
import { Session, State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, type NdArray } from '../../../formats/ndarray';
import { batches } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { boundaryLoss } from '../../../model/distillers/features/ab';
import { factorLoss } from '../../../model/distillers/features/ft';
import { negativeMean, overhaulLoss } from '../../../model/distillers/features/ofd';
import { hierarchicalLoss } from '../../../model/distillers/features/reviewkd';
import { plannedRuns } from '../../../model/experiment/stages';
import { nets } from '../../../model/nets';
import { outputShapes, type Model } from '../../../model/nets/model';
import type { Teacher } from '../../../model/teachers';
import { Trainer } from '../../../model/training/trainer';
import { UserError } from '../../../utils/errors';
import { writeJson } from '../../../utils/files';
import { Random } from '../../../utils/random';
import oracle from '../../fixtures/distillers_connectors.json';
import { agreesWithOracle, lossesOf, type Case } from '../../helpers/distillers';
import { float32 } from '../../helpers/engine';
import { method, trainingOptions } from '../../helpers/training';

const N = 8;
const beforeRelu = {
  student: { 'stage1.preact': [N, 3, 4, 4], 'stage2.preact': [N, 4, 4, 4], 'stage3.preact': [N, 6, 2, 2] },
  teacher: { 'stage1.preact': [N, 5, 4, 4], 'stage2.preact': [N, 4, 8, 8], 'stage3.preact': [N, 7, 2, 2] },
};
/** The stages themselves, by which the last ones that both have are found. */
const stages = { stage1: [N, 1, 1, 1], stage2: [N, 1, 1, 1], stage3: [N, 1, 1, 1] };
const threeStages = {
  student: { ...stages, ...beforeRelu.student },
  teacher: { ...stages, ...beforeRelu.teacher },
};
const lastMaps = (side: number) => ({ student: { stage3: [N, 5, side, side] }, teacher: { stage3: [N, 6, 4, 4] } });
const vectors = { student: { pooled: [N, 5] }, teacher: { pooled: [N, 7] } };
const knownLabels = ndarray(
  'int32',
  [3 * N],
  Int32Array.from({ length: 3 * N }, (_, i) => i % 5),
);

const cases: Record<string, Case> = {
  fitnet: {
    method: 'fitnet',
    options: { weight: 100 },
    student: { ...stages, stage2: [N, 3, 4, 4] },
    teacher: { ...stages, stage2: [N, 5, 4, 4] },
  },
  'fitnet on other layers, of other sizes': {
    method: 'fitnet',
    options: {
      weight: 10,
      layers: [
        ['stage1', 'stage2'],
        ['stage3', 'stage1'],
      ],
    },
    student: { stage1: [N, 3, 8, 8], stage3: [N, 2, 2, 2] },
    teacher: { stage1: [N, 3, 4, 4], stage2: [N, 4, 4, 4] },
  },
  ab: { method: 'ab', ...threeStages },
  'ab with another margin': { method: 'ab', options: { weight: 0.1, margin: 0.4 }, ...threeStages },
  oh: { method: 'ofd', ...threeStages },
  'oh where the teacher is positive': { method: 'ofd', range: [0.5, 2], ...threeStages },
  'ft: the paraphraser': { method: 'ft', options: { stage: 'paraphraser' }, ...lastMaps(4) },
  'ft: the student': { method: 'ft', ...lastMaps(4) },
  'ft: squares, of other sizes': { method: 'ft', options: { p: 2, stage: 'student' }, ...lastMaps(8) },
  'crd: no labels known': { method: 'crd', options: { negatives: 16, dim: 6, tau: 0.5 }, ...vectors },
  'crd: labels known': {
    method: 'crd',
    options: { negatives: 16, dim: 6, tau: 0.2 },
    buffers: { 'distiller.crd.labels': knownLabels },
    ...vectors,
  },
  'reviewkd in its warm-up': {
    method: 'reviewkd',
    student: { stage1: [N, 3, 8, 8], stage2: [N, 5, 4, 4], pooled: [N, 6] },
    teacher: {
      ...{ stage1: [N, 1, 1, 1], stage2: [N, 1, 1, 1] },
      ...{ 'stage1.preact': [N, 4, 8, 8], 'stage2.preact': [N, 3, 4, 4], pooled: [N, 7] },
    },
  },
  'reviewkd on maps of other sizes': {
    method: 'reviewkd',
    options: { warm_up: 0 },
    student: { stage1: [N, 3, 6, 6], stage2: [N, 4, 6, 6], stage3: [N, 5, 2, 2], pooled: [N, 6] },
    teacher: {
      ...stages,
      ...{ 'stage1.preact': [N, 2, 12, 12], 'stage2.preact': [N, 4, 3, 3], 'stage3.preact': [N, 3, 1, 1] },
      pooled: [N, 7],
    },
  },
};

/** A loss of two arrays, and its gradient with respect to the first. */
async function evaluated(
  loss: (student: Tensor, teacher: Tensor) => Tensor,
  student: NdArray,
  teacher: NdArray,
): Promise<{ value: number; gradient: number[] }> {
  const graph = new Graph();
  const [s, t] = [graph.input('s', 'float32', student.shape), graph.input('t', 'float32', teacher.shape)];
  const value = loss(s, t);
  graph.output('value', value);
  graph.output('gradient', gradients(value, [s])[0]!);
  const session = await Session.create(graph, { threads: 1 });
  const results = await session.run({ s: student, t: teacher }, State.initial(graph));
  await session.release();
  return { value: Number(results.value!.data[0]), gradient: Array.from(results.gradient!.data, Number) };
}

function normalMaps(
  name: string,
  shape: readonly [number, number, number, number],
  mean: number,
  std: number,
): NdArray {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  new Random(1, name).fillNormal(data, mean, std);
  return float32(shape, data);
}

describe('methods with layers beside the student', () => {
  describe('agree with PyTorch', () => agreesWithOracle(cases, oracle));

  describe('vanish, with gradient 0, where there is nothing to learn', () => {
    const t = normalMaps('t', [2, 3, 4, 4], 0, 1);
    const zero = (name: string, loss: (s: Tensor, t: Tensor) => Tensor, s: NdArray) =>
      it(name, async () => {
        const { value, gradient } = await evaluated(loss, s, t);
        expect(value).to.be.closeTo(0, 1e-10);
        for (const one of gradient) expect(one).to.be.closeTo(0, 1e-6);
      });
    const mapped = (change: (x: number) => number) => float32(t.shape, Array.from(t.data as Float32Array, change));

    zero(
      'ab: on the right side of the margin',
      (s, t) => boundaryLoss(s, t, 1),
      mapped((x) => (x > 0 ? 1.5 : -1.5)),
    );
    zero(
      'oh: equal where active, lower where not',
      overhaulLoss,
      mapped((x) => (x > 0 ? x : -9)),
    );
    zero(
      'ft: factors of one direction',
      (s, t) => factorLoss(s, t, 2),
      mapped((x) => 4 * x),
    );
    zero('reviewkd: equal maps', hierarchicalLoss, t);

    it('ft: equal factors, also zero ones', async () => {
      for (const map of [t, mapped(() => 0)]) {
        const { value, gradient } = await evaluated((s, t) => factorLoss(s, t, 1), map, map);
        expect(value).to.be.closeTo(0, 1e-7);
        expect(gradient.every(Number.isFinite)).to.equal(true);
      }
    });
  });

  it('oh: the margin of normal maps is that of the BatchNorm before them', async () => {
    // E[x | x < 0] of N(μ, σ²) = μ − σ φ(μ/σ) / Φ(−μ/σ), by Python's math.erf.
    for (const [mean, std, expected] of [
      [0, 1, -0.797885],
      [0.5, 1.5, -1.032246],
      [-1, 0.7, -1.109004],
    ] as const) {
      const graph = new Graph();
      const t = graph.input('t', 'float32', [16, 1, 64, 64]);
      graph.output('margin', negativeMean(t));
      const session = await Session.create(graph, { threads: 1 });
      const { margin } = await session.run({ t: normalMaps(`${mean}`, [16, 1, 64, 64], mean, std) });
      await session.release();
      // At least 24,000 of 65,536 draws are negative, with a deviation below 0.61 σ: four standard errors.
      expect(Number(margin!.data[0])).to.be.closeTo(expected, (4 * 0.61 * std) / Math.sqrt(24_000));
    }
  });

  it('crd: the memories take up the batch, and nothing else changes', async () => {
    const dataset = makeShapes({ train: 3 * N, test: 1, seed: 1 });
    const model: Model = {
      net: nets.resnet8!.build,
      options: { classes: 10, numChannels: 32, dropoutRate: 0 },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const pooled = normalMaps('pooled', [N, 64, 1, 1], 0, 1).data as Float32Array;
    const teacher: Teacher = {
      shapes: outputShapes(model),
      logits: () => Promise.reject(new Error('not asked for')),
      outputs: () => Promise.resolve({ pooled: ndarray('float32', [N, 64], pooled) }),
      release: () => Promise.resolve(),
    };
    const dim = 4;
    const options = { weight: 0.8, dim, negatives: 5, tau: 0.07, momentum: 0.25 };
    const trainer = Trainer.create(model, [N], {
      ...trainingOptions(sgd(), N, { methods: [method('crd', options)], examples: 3 * N }),
      teacher,
      threads: 1,
    });
    const values = (name: string) => Array.from(trainer.state.get(`distiller.crd.${name}`).data, Number);
    const [memory, weight, bias] = [values('teacher_memory'), values('teacher.weight'), values('teacher.bias')];

    const indices = Uint32Array.from({ length: N }, (_, i) => 3 * i + 1);
    const pass = { shape: dataset.shape, batchSize: N, seed: 0, epoch: 1, shuffle: false, augment: false };
    const [batch] = [...batches(dataset.train, indices, pass)];
    await trainer.step(batch!, { step: 1, epoch: 1, epochs: 1, learningRate: 0.1 });

    const unit = (row: number[]) => row.map((x) => x / Math.hypot(...row));
    const rows = (flat: number[]) => Array.from({ length: 3 * N }, (_, i) => flat.slice(i * dim, (i + 1) * dim));
    const expected = rows(memory);
    const labels = new Array<number>(3 * N).fill(-1);
    indices.forEach((example, i) => {
      const embedded = Array.from({ length: dim }, (_, d) =>
        weight.slice(64 * d, 64 * (d + 1)).reduce((sum, w, j) => sum + w * pooled[64 * i + j]!, bias[d]!),
      );
      const fresh = unit(embedded);
      expected[example] = unit(expected[example]!.map((old, d) => 0.25 * old + 0.75 * fresh[d]!));
      labels[example] = batch!.labels[i]!;
    });
    expect(values('labels')).to.deep.equal(labels);
    rows(values('teacher_memory')).forEach((row, i) =>
      row.forEach((x, d) => expect(x).to.be.closeTo(expected[i]![d]!, 1e-5)),
    );
    await trainer.release();
  });

  it('reviewkd: sizes that do not divide are an error in one line', async () => {
    const one: Case = {
      method: 'reviewkd',
      student: { stage1: [N, 3, 5, 5], pooled: [N, 6] },
      teacher: { stage1: [N, 1, 1, 1], 'stage1.preact': [N, 4, 8, 8], pooled: [N, 7] },
    };
    const error: unknown = await lossesOf(one).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(UserError);
    expect((error as UserError).message).to.match(
      /^reviewkd: a map \S.* cannot be resized to 8; choose other "layers"$/,
    );
  });
});

describe('stages', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'stages-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function runs(method: unknown) {
    const content = { model_version: 'resnet8', learning_rate: 0.1, num_epochs: 4, teacher: 'resnet20', method };
    writeJson(join(folder, 'params.json'), content);
    return plannedRuns(folder).map(({ directory, params }) => ({
      directory: directory.slice(folder.length),
      epochs: params.num_epochs,
      init: params.init?.checkpoint,
      methods: params.method.map(({ name, stage }) => (typeof stage === 'string' ? `${name} ${stage}` : name)),
    }));
  }
  const alone = (...methods: string[]) => [{ directory: '', epochs: 4, init: undefined, methods }];
  const staged = (name: string, epochs: number, first: string, ...last: string[]) => [
    { directory: `/stages/1_${name}`, epochs, init: undefined, methods: [first] },
    { directory: '', epochs: 4, init: `{model_dir}/stages/1_${name}/last.safetensors`, methods: last },
  ];

  it('fitnet: one, or hints and then the other methods', () => {
    expect(runs('fitnet')).to.deep.equal(alone('fitnet'));
    expect(runs(['kd', 'fitnet'])).to.deep.equal(alone('kd', 'fitnet'));
    const two = { name: 'fitnet', stages: 2, hint_epochs: 3 };
    expect(runs(two)).to.deep.equal(staged('hints', 3, 'fitnet hints', 'kd'));
    expect(runs(['nokd', two])).to.deep.equal(staged('hints', 3, 'fitnet hints', 'nokd'));
  });

  it('ab: boundaries and then the other methods', () => {
    expect(runs('ab')).to.deep.equal(staged('boundary', 10, 'ab boundary', 'kd'));
    expect(runs(['ab', 'crd'])).to.deep.equal(staged('boundary', 10, 'ab boundary', 'crd'));
  });

  it('ft: the paraphraser and then all methods', () => {
    expect(runs('ft')).to.deep.equal(staged('paraphraser', 30, 'ft paraphraser', 'ft student'));
    expect(runs(['kd', 'ft'])).to.deep.equal(staged('paraphraser', 30, 'ft paraphraser', 'kd', 'ft student'));
  });

  it('of two methods are an error', () => {
    expect(() => runs(['ft', 'ab'])).to.throw(UserError, /"method": ft and ab both train in stages; choose one$/);
  });
});
