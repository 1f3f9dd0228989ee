/** Methods that compare maps and relations between examples, against test/fixtures/make_distillers_relations.py. */
import { join } from 'node:path';
import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { Graph } from '../../../engine/graph';
import { detach, mul, square } from '../../../engine/ops';
import { Session, State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import { sizeOf } from '../../../formats/ndarray';
import { attentionLoss } from '../../../model/distillers/features/at';
import { selectivityLoss } from '../../../model/distillers/features/nst';
import { patienceLoss } from '../../../model/distillers/features/pkd';
import { farthest } from '../../../model/distillers/features/sfd';
import { kernelLoss, successiveLoss } from '../../../model/distillers/relations/cc';
import { fsp, flowLoss } from '../../../model/distillers/relations/fsp';
import { graphLoss, transformationLoss } from '../../../model/distillers/relations/irg';
import { probabilityLoss } from '../../../model/distillers/relations/pkt';
import { angleLoss, differences, distanceLoss } from '../../../model/distillers/relations/rkd';
import { similarityLoss } from '../../../model/distillers/relations/sp';
import { parseParams } from '../../../model/experiment/params';
import { Random } from '../../../utils/random';
import oracle from '../../fixtures/distillers_relations.json';
import { agreesWithOracle, lossesOf, type Case } from '../../helpers/distillers';
import { float32 } from '../../helpers/engine';

const N = 8;
const maps = {
  student: { stage1: [N, 4, 6, 6], stage2: [N, 6, 3, 3] },
  teacher: { stage1: [N, 5, 6, 6], stage2: [N, 7, 3, 3] },
};
const sizes = { student: { stage1: [N, 4, 6, 6] }, teacher: { stage1: [N, 5, 3, 3] } };
const both = <S>(shapes: S) => ({ student: shapes, teacher: shapes });
const equal = both({ stage1: [N, 3, 4, 4], stage2: [N, 5, 2, 2] });
const vectors = { student: { pooled: [N, 6] }, teacher: { pooled: [N, 9] } };
const withStem = both({ stem: [N, 3, 4, 4], stage1: [N, 4, 4, 4], stage2: [N, 5, 2, 2] });
const before = both({ ...equal.student, 'stage1.preact': [N, 3, 4, 4], 'stage2.preact': [N, 5, 2, 2] });
const stages = ['stage1', 'stage2'].map((name) => [name, name]);
const one = ['stage2', 'stage2'];

const three = {
  student: { stage1: [N, 4, 6, 6], stage2: [N, 6, 3, 3], stage3: [N, 7, 2, 2], pooled: [N, 6] },
  teacher: { stage1: [N, 5, 6, 6], stage2: [N, 7, 3, 3], stage3: [N, 5, 2, 2], pooled: [N, 9] },
};

const cases: Record<string, Case> = {
  at: { method: 'at', ...maps },
  'at of p 1': { method: 'at', options: { weight: 10, p: 1 }, ...maps },
  'at of p 4': { method: 'at', options: { weight: 10, p: 4 }, ...maps },
  'at of other layers': { method: 'at', options: { layers: [['stage1', 'stage2']] }, ...maps },
  'at of other sizes': { method: 'at', ...sizes },
  sp: { method: 'sp', ...maps },
  'sp of two layers': { method: 'sp', options: { weight: 10, layers: stages }, ...maps },
  cc: { method: 'cc', ...vectors },
  'cc of dim 4': { method: 'cc', options: { weight: 3, dim: 4 }, ...vectors },
  'cc with the kernel': { method: 'cc', options: { variant: 'kernel' }, ...vectors },
  'cc with a kernel of order 5': { method: 'cc', options: { variant: 'kernel', gamma: 0.9, order: 5 }, ...vectors },
  irg: { method: 'irg', ...three },
  'irg of one layer': {
    method: 'irg',
    options: { weight: 2, transformation_weight: 3, layers: [one] },
    ...three,
  },
  'irg of vectors alone': {
    method: 'irg',
    options: { weight: 1, transformation_weight: 0 },
    ...both({ pooled: [N, 6] }),
  },
  pkt: { method: 'pkt', ...vectors },
  nst: { method: 'nst', ...maps },
  'nst of other sizes': { method: 'nst', ...sizes },
  'nst of more channels than places': {
    method: 'nst',
    student: { stage1: [N, 9, 2, 2] },
    teacher: { stage1: [N, 3, 2, 2] },
  },
  rkd: { method: 'rkd', ...vectors },
  'rkd of distances alone': { method: 'rkd', options: { distance_weight: 3, angle_weight: 0 }, ...vectors },
  'rkd of angles alone': { method: 'rkd', options: { distance_weight: 0, angle_weight: 3 }, ...vectors },
  pkd: { method: 'pkd', ...equal },
  'pkd, normalized': { method: 'pkd', options: { normalize: true }, ...equal },
  sfd: { method: 'sfd', ...before },
  'sfd of a named layer': { method: 'sfd', options: { weight: 2, layers: [one] }, ...equal },
  fsp: { method: 'fsp', ...withStem },
  'fsp of named layers': { method: 'fsp', options: { weight: 2, layers: stages }, ...withStem },
  vid: { method: 'vid', ...maps },
  'vid of other sizes': { method: 'vid', options: { weight: 3 }, ...sizes },
};

describe('methods of relations and maps agree with PyTorch', () => agreesWithOracle(cases, oracle));

/** Value of a loss of x (as the student's) and x (as the teacher's), and its gradient to the student's. */
async function ofItself(shape: number[], loss: (student: Tensor, teacher: Tensor) => Tensor, values?: Float32Array) {
  const graph = new Graph();
  const x = graph.input('x', 'float32', shape);
  const value = loss(x, detach(x));
  graph.output('value', value);
  graph.output('grad', gradients(value, [x])[0]!);
  const drawn = new Float32Array(sizeOf(shape));
  new Random(1, 'x').fillUniform(drawn, -2, 2);
  const session = await Session.create(graph, { threads: 1 });
  const results = await session.run({ x: float32(shape, values ?? drawn) }, State.initial(graph));
  await session.release();
  return { value: Number(results.value!.data[0]), grad: Array.from(results.grad!.data as Float32Array) };
}

const map = [N, 3, 4, 4];
const vector = [N, 6];
const onDifferences = (loss: typeof angleLoss) => (s: Tensor, t: Tensor) => loss(differences(s), differences(t));
const losses: Record<string, [shape: number[], loss: (student: Tensor, teacher: Tensor) => Tensor]> = {
  at: [map, (s, t) => attentionLoss(s, t, 2)],
  sp: [map, similarityLoss],
  'cc, embedding': [vector, successiveLoss],
  'cc, kernel': [vector, (s, t) => kernelLoss(s, t, 0.4, 2)],
  'irg, graph': [vector, graphLoss],
  'irg, changes': [
    map,
    (s, t) =>
      transformationLoss([
        [s, t],
        [square(s), square(t)],
      ]),
  ],
  pkt: [vector, probabilityLoss],
  nst: [map, selectivityLoss],
  'rkd, distances': [vector, onDifferences(distanceLoss)],
  'rkd, angles': [vector, onDifferences(angleLoss)],
  pkd: [map, (s, t) => patienceLoss([[s, t]], false)],
  'pkd, normalized': [map, (s, t) => patienceLoss([[s, t]], true)],
  sfd: [vector, farthest],
  fsp: [
    map,
    (s, t) =>
      flowLoss([
        [s, t],
        [s, t],
      ]),
  ],
};

describe('a student that is its teacher', () => {
  for (const [name, [shape, loss]] of Object.entries(losses)) {
    it(`has no loss by ${name}`, async () => {
      const { value, grad } = await ofItself(shape, loss);
      // The distance of sfd has 1e-6 added to each of 6 differences, so that there is a gradient at all.
      expect(value).to.be.closeTo(name === 'sfd' ? 1e-6 * Math.sqrt(6) : 0, 1e-7);
      if (name !== 'sfd') expect(Math.max(...grad.map(Math.abs))).to.be.below(1e-6);
    });

    it(`has a finite gradient by ${name} where features are zero, all alike, or of one example`, async () => {
      for (const [size, level] of [[N, 0] as const, [N, 1] as const, [1, 1] as const]) {
        const full = [size, ...shape.slice(1)];
        const { value, grad } = await ofItself(full, loss, new Float32Array(sizeOf(full)).fill(level));
        expect([value, ...grad].every(Number.isFinite), `${size} examples of ${level}`).to.equal(true);
      }
    });
  }
});

describe('a student that is its teacher but for the scale of its features', () => {
  for (const name of ['at', 'sp', 'cc, kernel', 'pkt', 'nst', 'rkd, distances', 'rkd, angles', 'pkd, normalized']) {
    it(`has no loss by ${name}`, async () => {
      const [shape, loss] = losses[name]!;
      const { value } = await ofItself(shape, (s, t) => loss(s, mul(t, 3)));
      expect(value).to.be.closeTo(0, 1e-7);
    });
  }
});

describe('fsp', () => {
  const params = (method: object[]) =>
    parseParams(
      { model_version: 'resnet8_distill', teacher: 'resnet20', learning_rate: 0.1, num_epochs: 7, method },
      'params.json',
    );
  const planned = (method: object[]) => {
    const filled = params(method);
    const { name, ...options } = filled.method.find(({ name }) => name === 'fsp')!;
    expect(name).to.equal('fsp');
    return fsp.stages!(options as unknown as Parameters<NonNullable<typeof fsp.stages>>[0], {
      ...filled,
      net: 'resnet8',
    });
  };

  it('matches flows alone first, then trains by the labels from those weights', () => {
    const [flow, task] = planned([{ name: 'fsp', weight: 3, init_epochs: 2 }]);
    expect(flow!.changes(undefined)).to.deep.equal({
      method: { name: 'fsp', weight: 3, init_epochs: 2, stage: 'flow' },
      num_epochs: 2,
    });
    expect(task!.changes('stages/1_flow')).to.deep.equal({
      method: 'nokd',
      init: { checkpoint: join('stages/1_flow', 'last.safetensors') },
    });
  });

  it('leaves the other methods to the second run', () => {
    const task = planned([{ name: 'kd' }, { name: 'fsp' }])[1]!.changes('before');
    expect(task.method).to.deep.equal(params([{ name: 'kd' }]).method);
  });

  it('has no stages within its first one', () => {
    expect(planned([{ name: 'fsp', stage: 'flow' }])).to.deep.equal([]);
  });
});

describe('errors', () => {
  const fails: [string, Case, RegExp][] = [
    [
      'pkd names maps that differ',
      { method: 'pkd', ...maps },
      /^pkd: student .*4.*6.*6.* and teacher .*5.*differ; choose/,
    ],
    [
      'sfd names channels that differ',
      { method: 'sfd', options: { layers: stages }, ...maps },
      /^sfd: channels of .*choose/,
    ],
    ['fsp names channels that differ', { method: 'fsp', ...maps }, /^fsp: channels of .*choose/],
    ['fsp needs two outputs', { method: 'fsp', ...both({ stage1: [N, 3, 4, 4] }) }, /^fsp: .*two outputs/],
    ['at needs maps', { method: 'at', ...both({ stage1: [N, 12] }) }, /a square map/],
  ];
  for (const [name, one, message] of fails) {
    it(name, async () => {
      const failure = await lossesOf(one).then(
        () => undefined,
        (error: Error) => error,
      );
      expect(failure?.name).to.equal('UserError');
      expect(failure?.message).to.match(message).and.not.include('\n');
    });
  }
});
