import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { Graph } from '../../../engine/graph';
import { add, div, mul, slice, sub, sum } from '../../../engine/ops';
import { Session, State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import type { NdArray } from '../../../formats/ndarray';
import { softmaxHintLoss } from '../../../model/distillers/features/softmax_hint';
import { distLosses } from '../../../model/distillers/logits/dist';
import { dkdLosses } from '../../../model/distillers/logits/dkd';
import { annealed, kdLoss, standardized, trueClassProbability } from '../../../model/distillers/logits/kd';
import { logitsMseLoss } from '../../../model/distillers/logits/logits_mse';
import { cosineLoss } from '../../../model/distillers/relations/triplet';
import oracle from '../../fixtures/distillers_logits.json';
import { agreesWithOracle, lossesOf, refuses, type Case } from '../../helpers/distillers';
import { float32 } from '../../helpers/engine';

const logits = { student: { logits: [8, 5] }, teacher: { logits: [8, 5] } };
const tokens = {
  student: { logits_class: [8, 5], logits_distilled: [8, 5] },
  teacher: { logits: [8, 5] },
};
const two = [{ logits: [8, 5] }, { logits: [8, 5] }];

describe('methods on logits agree with PyTorch', () =>
  agreesWithOracle(
    {
      'kd, mean over classes too': { method: 'kd', ...logits, klReduction: 'mean' },
      'kd, weighted': { method: 'kd', ...logits, options: { weight: 3 } },
      'kd, standardized': { method: 'kd', ...logits, options: { standardize: true, weight: 10 }, temperature: 2 },
      'kd, focal': { method: 'kd', ...logits, options: { focal: true } },
      'kd, annealed half way': {
        method: 'kd',
        ...logits,
        options: { anneal: { end: 0.1 } },
        context: { epoch: 6, epochs: 10 },
      },
      'kd, annealed to its end': {
        method: 'kd',
        ...logits,
        options: { anneal: { epochs: 4 } },
        context: { epoch: 10, epochs: 10 },
      },
      logits_mse: { method: 'logits_mse', ...logits },
      'logits_mse, alpha 0.3': { method: 'logits_mse', ...logits, alpha: 0.3 },
      softmax_hint: {
        method: 'softmax_hint',
        student: { logits: [8, 5], pooled: [8, 6] },
        teacher: { pooled: [8, 6] },
      },
      'softmax_hint of the logits': {
        method: 'softmax_hint',
        ...logits,
        options: { layers: [['logits', 'logits']] },
        alpha: 0.4,
      },
      'softmax_hint of maps': {
        method: 'softmax_hint',
        student: { logits: [8, 5], stage1: [8, 3, 2, 2] },
        teacher: { stage1: [8, 3, 2, 2] },
        options: { layers: [['stage1', 'stage1']] },
        alpha: 0.4,
      },
      triplet: { method: 'triplet', ...logits, alpha: 0.5, temperature: 5 },
      multikd: { method: 'multikd', student: { logits: [8, 5] }, teachers: two },
      'multikd, weighted': {
        method: 'multikd',
        student: { logits: [8, 5] },
        teachers: [...two, { logits: [8, 5] }],
        options: { weights: [0.2, 1, 0.5] },
      },
      deit: { method: 'deit', ...tokens },
      'deit, soft': { method: 'deit', ...tokens, options: { type: 'soft', alpha: 0.1 }, temperature: 3 },
      'deit, soft, mean over classes too': {
        method: 'deit',
        ...tokens,
        options: { type: 'soft', alpha: 0.1 },
        temperature: 3,
        klReduction: 'mean',
      },
      dkd: { method: 'dkd', ...logits, context: { epoch: 2 } },
      'dkd, warm': {
        method: 'dkd',
        ...logits,
        options: { alpha: 0.5, beta: 2 },
        temperature: 2,
        context: { epoch: 20 },
      },
      'dkd, of large logits': {
        method: 'dkd',
        ...logits,
        options: { warmup_epochs: 0 },
        temperature: 1,
        range: [-20, 20],
      },
      dist: { method: 'dist', ...logits },
      'dist, weighted': { method: 'dist', ...logits, options: { beta: 0.5, gamma: 2 }, temperature: 1 },
      tfkd: { method: 'tfkd', student: logits.student },
      'tfkd, harder': {
        method: 'tfkd',
        student: logits.student,
        options: { alpha: 0.6, temperature: 0.5, correct_probability: 0.8 },
      },
      unlabeled: { method: 'unlabeled', ...logits },
      'unlabeled, weighted': { method: 'unlabeled', ...logits, options: { weight: 0.5 }, temperature: 10 },
    },
    oracle,
  ));

describe('constant logits', () => {
  const alike: Record<string, Partial<Case>> = {
    kd: {},
    'kd with standardize': { method: 'kd', options: { standardize: true } },
    unlabeled: {},
    logits_mse: {},
    triplet: {},
    dkd: {},
    dist: {},
    softmax_hint: { options: { layers: [['logits', 'logits']] } },
  };
  const equal: Partial<Case> = { range: [0.5, 0.5] };
  for (const [name, more] of Object.entries(alike)) {
    it(`${name} has finite gradients, and no loss beside the labels`, async () => {
      const { losses, grads } = await lossesOf({ method: name, ...logits, ...equal, ...more });
      // The cosine of constant vectors is 1; the correlation of constant ones is 0 by definition.
      const expected = name === 'dist' ? 16 : 0;
      for (const [key, loss] of Object.entries(losses)) {
        if (key !== 'ce') expect(loss, key).to.be.closeTo(expected, 1e-6);
      }
      for (const value of grads['student/logits']!.data) expect(value).to.satisfy(Number.isFinite);
    });
  }
});

describe('annealed', () => {
  it('goes from alpha to the end along half a cosine, and stays there', () => {
    const at = (epoch: number) => annealed(0.8, { end: 0.2, epochs: 4 }, { epoch, epochs: 100 });
    const root = Math.SQRT1_2;
    [0.8, 0.5 + 0.3 * root, 0.5, 0.5 - 0.3 * root, 0.2, 0.2].forEach((value, i) =>
      expect(at(i + 1)).to.be.closeTo(value, 1e-12),
    );
  });

  it('takes all epochs where none are named', () =>
    expect(annealed(1, { end: 0 }, { epoch: 6, epochs: 10 })).to.be.closeTo(0.5, 1e-12));
});

describe('the losses themselves', () => {
  const z = float32([3, 4], [2, -1, 0.5, 0, -3, 1, 1.5, 0.25, 0, 4, -2, 1]);
  const other = float32([3, 4], [0, 1, -0.5, 2, 1, -1, 2.5, 0, -2, 3, 1, 0.5]);

  /** A loss of the logits `student` and `teacher`, and its gradient with respect to the former. */
  async function valueOf(student: NdArray, teacher: NdArray, loss: (s: Tensor, t: Tensor, mask: Tensor) => Tensor) {
    const graph = new Graph();
    const s = graph.parameter('student', student.shape, () => student);
    const mask = float32([3, 4], [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0]);
    const value = loss(s, graph.constant(teacher), graph.constant(mask));
    graph.output('value', value);
    graph.output('gradient', gradients(value, [s])[0]!);
    const session = await Session.create(graph, { threads: 1 });
    const results = await session.run({}, State.initial(graph));
    await session.release();
    return { value: Number(results.value!.data[0]), gradient: Array.from(results.gradient!.data, Number) };
  }

  const losses: Record<string, (s: Tensor, t: Tensor, mask: Tensor) => Tensor> = {
    kd: (s, t) => kdLoss(s, t, 2, 'batchmean'),
    standardized: (s, t) => kdLoss(standardized(s), standardized(t), 2, 'batchmean'),
    logits_mse: logitsMseLoss,
    softmax_hint: softmaxHintLoss,
    cosine: cosineLoss,
    'dkd, the true class': (s, t, mask) => dkdLosses(s, t, mask, 2).target,
    'dkd, the others': (s, t, mask) => dkdLosses(s, t, mask, 2).nonTarget,
    'dist, inter': (s, t) => distLosses(s, t, 2).inter,
    'dist, intra': (s, t) => distLosses(s, t, 2).intra,
  };
  for (const [name, loss] of Object.entries(losses)) {
    it(`${name} is above 0, and 0 without a gradient where student and teacher agree`, async () => {
      expect((await valueOf(z, other, loss)).value).to.be.above(0.01);
      const { value, gradient } = await valueOf(z, z, loss);
      expect(value).to.be.closeTo(0, 2e-6);
      for (const slope of gradient) expect(slope).to.be.closeTo(0, 2e-6);
    });
  }

  it('standardized logits are the same for any scale and offset', async () => {
    const moved = float32(
      [3, 4],
      Array.from(z.data, (x) => 5 * Number(x) - 3),
    );
    expect((await valueOf(z, moved, losses.standardized!)).value).to.be.closeTo(0, 2e-6);
  });

  it('dkd has the parts of kd: KL = target + (1 − p_y) · the others, for each example', async () => {
    const divergence = await valueOf(z, other, losses.kd!);
    const parts = await valueOf(z, other, (s, t, mask) => {
      const rows = [0, 1, 2].map((row) => {
        const [own, taught, ownMask] = [s, t, mask].map((x) => slice(x, 0, row, row + 1));
        const { target, nonTarget } = dkdLosses(own!, taught!, ownMask!, 2);
        const trueClass = sum(trueClassProbability(div(taught!, 2), ownMask!));
        return add(target, mul(sub(1, trueClass), nonTarget));
      });
      return div(rows.reduce(add), 3);
    });
    expect(parts.value).to.be.closeTo(divergence.value, 1e-5);
    parts.gradient.forEach((slope, i) => expect(slope).to.be.closeTo(divergence.gradient[i]!, 1e-5));
  });
});

describe('wrong uses', () => {
  it('multikd with weights for another number of teachers', () =>
    refuses(
      { method: 'multikd', student: { logits: [8, 5] }, teachers: two, options: { weights: [1, 2, 3] } },
      'multikd: "weights" must have one for each of the 2 teachers, got 3',
    ));

  it('softmax_hint of layers of different widths', () =>
    refuses(
      {
        method: 'softmax_hint',
        student: { logits: [8, 5], pooled: [8, 6] },
        teacher: { logits: [8, 5], pooled: [8, 7] },
      },
      'softmax_hint: student [8, 6] and teacher [8, 7] differ; choose others, such as "layers": [["logits", "logits"]]',
    ));
});
