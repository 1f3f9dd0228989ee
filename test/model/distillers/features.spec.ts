/** Tests the methods of model/distillers/features/ that bring features together by layers of their own, and relations/dcd. */
import oracle from '../../fixtures/distillers_features.json';
import { agreesWithOracle, refuses, type Case } from '../../helpers/distillers';

const N = 8;
const student = { stage1: [N, 4, 6, 6], stage2: [N, 6, 3, 3] };
const teacher = { stage1: [N, 5, 8, 8], stage2: [N, 7, 4, 4], stage3: [N, 3, 2, 2] };
const masked = { stage1: [N, 5, 8, 8], stage2: [N, 4, 3, 3] };
const vectors = (mine: number, theirs: number) => ({
  student: { pooled: [N, mine] },
  teacher: { pooled: [N, theirs] },
});
const maps = (mine: number, theirs: number) => ({
  student: { map: [N, 6, mine, mine] },
  teacher: { map: [N, 7, theirs, theirs] },
});

const cases: Record<string, Case> = {
  ickd: { method: 'ickd', student, teacher: { stage2: teacher.stage2 } },
  'ickd of two pairs': {
    method: 'ickd',
    options: {
      weight: 3,
      layers: [
        ['stage1', 'stage3'],
        ['stage2', 'stage1'],
      ],
    },
    student,
    teacher,
  },
  semckd: { method: 'semckd', student, teacher },
  'semckd of a smaller batch': {
    method: 'semckd',
    options: { weight: 5, soft: 0.5, student_layers: ['stage2'], teacher_layers: ['stage1', 'stage3'] },
    student,
    teacher,
    largestBatch: 13,
  },
  afd: { method: 'afd', student, teacher, vanishing: ['distiller.afd.bilinear.bn.bias'] },
  'afd of some maps': {
    method: 'afd',
    options: { weight: 3, dim: 6, student_layers: ['stage1'], teacher_layers: ['stage3', 'stage1'] },
    student,
    teacher,
    vanishing: ['distiller.afd.bilinear.bn.bias'],
  },
  catkd: { method: 'catkd', ...maps(4, 8) },
  'catkd without normalization': {
    method: 'catkd',
    options: { weight: 15, size: 3, normalize: false },
    ...maps(3, 5),
  },
  mgd: { method: 'mgd', student: masked, teacher },
  'mgd of masked places': {
    method: 'mgd',
    options: {
      weight: 0.5,
      mask_ratio: 0.65,
      masks: 'places',
      layers: [
        ['stage1', 'stage1'],
        ['stage2', 'stage2'],
      ],
    },
    student: masked,
    teacher,
  },
  pefd: { method: 'pefd', ...vectors(6, 9) },
  'pefd of one projector': { method: 'pefd', options: { weight: 2, projectors: 1 }, ...vectors(6, 9) },
  pad: { method: 'pad', options: { warmup_epochs: 0 }, ...vectors(6, 9) },
  'pad of vectors as long': { method: 'pad', options: { weight: 2, warmup_epochs: 0 }, ...vectors(6, 6) },
  'pad while it warms up': { method: 'pad', ...vectors(6, 9) },
  srd: { method: 'srd', ...vectors(6, 9) },
  'srd of p 1': { method: 'srd', options: { weight: 0.5, exponent: 1 }, ...vectors(6, 9) },
  'srd of p 2': { method: 'srd', options: { weight: 3, exponent: 2 }, ...vectors(6, 9) },
  vkd: { method: 'vkd', ...vectors(6, 9) },
  'vkd to fewer': { method: 'vkd', options: { weight: 2 }, ...vectors(9, 4) },
  embedding: { method: 'embedding', ...vectors(6, 9) },
  'embedding by squares': { method: 'embedding', options: { weight: 3, distance: 'mse' }, ...vectors(6, 9) },
  'embedding of vectors and maps': {
    method: 'embedding',
    options: {
      layers: [
        ['pooled', 'pooled'],
        ['stage1', 'stage2'],
      ],
    },
    student: { pooled: [N, 6], stage1: [N, 3, 8, 8] },
    teacher: { pooled: [N, 9], stage2: [N, 5, 4, 4] },
  },
  'embedding of maps by squares': {
    method: 'embedding',
    options: { distance: 'mse', layers: [['stage1', 'stage1']] },
    student: { stage1: [N, 3, 4, 4] },
    teacher: { stage1: [N, 5, 4, 4] },
  },
  dcd: { method: 'dcd', ...vectors(6, 9) },
  'dcd, other weights': {
    method: 'dcd',
    options: { weight: 2, consistency_weight: 0.3, dim: 7 },
    ...vectors(6, 9),
  },
};

describe('methods that bring features together by layers of their own agree with PyTorch', () =>
  agreesWithOracle(cases, oracle));

describe('wrong uses of features', () => {
  it('afd of a student without stages', () =>
    refuses(
      { method: 'afd', student: { pooled: [N, 4] }, teacher },
      '"student_layers" is needed: the student has no stages, but pooled',
    ));

  it('embedding of a vector and a map', () =>
    refuses(
      { method: 'embedding', options: { layers: [['pooled', 'stage1']] }, student: { pooled: [N, 4] }, teacher },
      /^embedding: student \[8, 4\] and teacher \[8, .*\] must both be vectors or both maps: choose other "layers"$/,
    ));

  it('semckd of a teacher that gives nothing but logits', () =>
    refuses({ method: 'semckd', student, teacher: { logits: [N, 5] } }, /^the teacher outputs only logits/));
});
