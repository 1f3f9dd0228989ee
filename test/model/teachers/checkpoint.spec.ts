/** A teacher from a checkpoint of others: which weights are meant, what they are called, the size of its images. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { State } from '../../../engine/session';
import type { NamedArrays, NdArray } from '../../../formats/ndarray';
import { writeSafetensors } from '../../../formats/safetensors';
import { makeShapes } from '../../../model/data/sets/shapes';
import { nets } from '../../../model/nets';
import { evaluationGraph, type Model } from '../../../model/nets/model';
import { loadTeacher } from '../../../model/teachers';
import type { CheckpointTeacherParams } from '../../../model/teachers/checkpoint';
import { expectClose } from '../../helpers/engine';
import { interpolated } from '../../helpers/interpolation';
import { complaintOf } from '../../utils/rows';

const dataset = makeShapes({ train: 6, test: 2, seed: 0 });
const student: Model = {
  net: nets.resnet8!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0 },
  normalize: dataset.normalize,
  input: dataset.shape,
};
const batch = {
  images: dataset.train.images,
  labels: Int32Array.from(dataset.train.labels),
  indices: Uint32Array.of(0, 1, 2, 3, 4, 5),
  size: 6,
};

describe('a teacher from a checkpoint', () => {
  let folder: string;
  let checkpoint: string;
  const weights = State.initial(evaluationGraph(student)).arrays();
  const named = (change: (name: string) => string): NamedArrays =>
    new Map([...weights].map(([name, array]) => [change(name), array]));
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'checkpoint-teacher-'));
    checkpoint = join(folder, 'a.safetensors');
  });
  after(() => rmSync(folder, { recursive: true }));

  async function logitsOf(params: Partial<CheckpointTeacherParams>, lines: string[] = []): Promise<NdArray> {
    const filled = { model: 'resnet8', checkpoint, num_channels: 4, ...params };
    const log = (_: string, line: string) => void lines.push(line);
    const teacher = await loadTeacher(filled, student, dataset, { threads: 1, log });
    const logits = await teacher.logits(batch);
    await teacher.release();
    return logits;
  }

  it('uses the weights under a key, renamed', async () => {
    writeSafetensors(checkpoint, weights);
    const plain = await logitsOf({});
    const other = new Map([...weights].map(([name]) => [`other.${name}`, weights.get(name)!]));
    writeSafetensors(checkpoint, new Map([...other, ...named((name) => `mine.${name.replace('linear', 'head.fc')}`)]));
    expect(await logitsOf({ key: 'mine', rename: { 'head.fc': 'linear' } })).to.deep.equal(plain);
  });

  it('begins at random what "skip" matches, and says so', async () => {
    const lines: string[] = [];
    const headless = new Map([...weights].filter(([name]) => !name.startsWith('linear')));
    writeSafetensors(checkpoint, headless);
    const first = await logitsOf({ skip: ['linear'] }, lines);
    expect(lines).to.deep.equal([
      `Teacher ${checkpoint}: 2 of its ${weights.size} tensors are random because of "skip"`,
    ]);
    expect(await logitsOf({ skip: ['linear'] })).to.deep.equal(first);
    const complaint = await complaintOf('"teacher.skip"', () => logitsOf({ skip: ['head'] }));
    expect(complaint).to.match(/^"head" matches no parameter of the network; parameter names begin with conv1, /);
  });

  it('sees images at a size of its own, as torch.nn.functional.interpolate makes them', async () => {
    writeSafetensors(checkpoint, weights);
    const own = await logitsOf({ size: 48 });
    // The same network on images that are resized beforehand; rounding to bytes costs a little.
    const { images, labels } = dataset.train;
    const large = interpolated(images, dataset.shape, 48);
    const stored = { ...dataset, shape: [3, 48, 48] as const, train: { ...dataset.train, images: large } };
    const sees = { ...student, input: stored.shape };
    const filled = { model: 'resnet8', checkpoint, num_channels: 4 };
    const teacher = await loadTeacher(filled, sees, stored, { threads: 1, log: () => {} });
    const expected = await teacher.logits({ ...batch, images: large, labels: Int32Array.from(labels) });
    await teacher.release();
    expectClose(own, expected, 0.02);
    const plain = await logitsOf({});
    expect(() => expectClose(own, plain, 0.02)).to.throw();
  });
});
