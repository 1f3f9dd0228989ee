/** Tests methods that ask a head about other vectors: model/nets/heads.ts and model/distillers/. */
import oracle from '../../fixtures/distillers_heads.json';
import { agreesWithOracle, refuses, type Case } from '../../helpers/distillers';

const N = 8;
const logits = [N, 5];
const connected = { teacher: { pooled: [N, 7], logits } };
const maps = (side: number, other: number) => ({
  student: { logits, map: [N, 6, side, side] },
  teacher: { logits, map: [N, 7, other, other] },
});
const stages = { logits, stage1: [N, 1, 1, 1], stage2: [N, 6, 3, 3], stage3: [N, 1, 1, 1] };
const staged = { stage1: [N, 3, 8, 8], stage2: [N, 5, 4, 4], stage3: [N, 1, 2, 2], pooled: [N, 9], logits };

const cases: Record<string, Case> = {
  srrl: { method: 'srrl', student: { pooled: [N, 6], map: [N, 6, 3, 3] }, ...connected },
  'srrl of averaged vectors': {
    method: 'srrl',
    options: { feature_weight: 0.5, weight: 3, variant: 'pooled' },
    student: { pooled: [N, 6] },
    ...connected,
  },
  sdd: { method: 'sdd', ...maps(4, 8) },
  'sdd, other regions': {
    method: 'sdd',
    options: { scales: [2, 3], weight: 5 },
    ...maps(6, 12),
    alpha: 0.3,
    temperature: 1,
  },
  uskd: { method: 'uskd', student: stages },
  'uskd as for CIFAR-100, as the code has it': {
    method: 'uskd',
    options: { alpha: 0.1, beta: 0.1, mu: 0.1, variant: 'code' },
    student: stages,
  },
  byot: { method: 'byot', student: staged },
  'byot, as the code has it': {
    method: 'byot',
    options: { alpha: 0.6, temperature: 2, feature_weight: 0.5, variant: 'code' },
    student: staged,
  },
  cskd: { method: 'cskd', student: { logits }, views: ['classmate+crop+flip'] },
  'cskd with another policy': {
    method: 'cskd',
    options: { weight: 3, temperature: 1, policy: 'flip' },
    student: { logits },
    views: ['classmate+flip'],
  },
  one: { method: 'one', student: stages },
  'one, growing': {
    method: 'one',
    options: { branches: 2, temperature: 1, ramp_up: 8 },
    student: stages,
    context: { epoch: 4 },
  },
  'uskd of another layer': {
    method: 'uskd',
    options: { alpha: 2, beta: 3, mu: 4, layer: 'pooled' },
    student: { logits, pooled: [N, 9] },
  },
};

describe('methods with heads beside the student, and the heads of both, agree with PyTorch', () =>
  agreesWithOracle(cases, oracle));

describe('wrong uses of heads', () => {
  it('sdd of more regions than a map has places', () =>
    refuses({ method: 'sdd', ...maps(3, 8) }, 'sdd: "scales" must be at most 3, the side of the last map, got 4'));

  it('byot of a student with one stage', () =>
    refuses(
      { method: 'byot', student: { stage1: [N, 3, 4, 4], pooled: [N, 9], logits } },
      'byot: the student needs two stages, and has stage1, pooled, logits',
    ));

  it('uskd of a student without stages', () =>
    refuses({ method: 'uskd', student: { logits } }, '"layer" is needed: the student has no stages, but logits'));
});
