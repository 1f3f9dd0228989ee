/** Tests model/teachers/. What teachers give beside logits: the maps of networks, and of several teachers those of each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { adam } from '../../../engine/optimizers';
import { Session } from '../../../engine/session';
import { ndarray, type NdArray } from '../../../formats/ndarray';
import { batches, type Batch } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { distillers } from '../../../model/distillers';
import { nets } from '../../../model/nets';
import { tensorsOf } from '../../../model/nets/feature_maps';
import { Layers } from '../../../model/nets/layers';
import { normalizedImages, type Model } from '../../../model/nets/model';
import { loadTeacher, type Teacher } from '../../../model/teachers';
import type { CheckpointTeacherParams } from '../../../model/teachers/checkpoint';
import { ensemble } from '../../../model/teachers/ensemble';
import { logitsTeacher } from '../../../model/teachers/teacher';
import { Trainer } from '../../../model/training/trainer';
import { UserError } from '../../../utils/errors';
import { mistakes } from '../../../utils/schema';
import { expectClose, float32 } from '../../helpers/engine';
import { writeInitialWeights } from '../../helpers/train';

const dataset = makeShapes({ train: 12, test: 1, seed: 0 });
const student: Model = {
  net: nets.cnn!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0 },
  normalize: dataset.normalize,
  input: dataset.shape,
};
const normalize: CheckpointTeacherParams['normalize'] = { mean: [0.5, 0.4, 0.3], std: [0.1, 0.2, 0.3] };
const indices = Uint32Array.from({ length: 12 }, (_, i) => i);
const pass = { shape: dataset.shape, batchSize: 5, seed: 1, epoch: 1, shuffle: true, augment: true };
const [batch] = batches(dataset.train, indices, pass) as Iterable<Batch> as [Batch];

describe('outputs of teachers', () => {
  let folder: string;
  let checkpoint: string;
  let teacher: Teacher;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'teachers-'));
    checkpoint = writeInitialWeights(join(folder, 'resnet8.safetensors'), 'resnet8', 4);
    teacher = await load({ model: 'resnet8', checkpoint, num_channels: 4, normalize });
  });
  after(async () => {
    await teacher.release();
    rmSync(folder, { recursive: true });
  });
  const load = (params: CheckpointTeacherParams) =>
    loadTeacher(params, student, dataset, { threads: 1, log: () => {} });

  it('of a network are all that it names, with their shapes, in evaluation mode and its own normalization', async () => {
    const graph = new Graph();
    const images = normalizedImages(graph, { ...student, normalize: normalize }, batch.size);
    const layers = new Layers(graph, { mode: 'eval', seed: 0, frozen: teacher.network!.weights });
    const tensors = tensorsOf(nets.resnet8!.build(layers, images, student.options));
    for (const [name, tensor] of tensors) graph.output(name, tensor);
    const session = await Session.create(graph, { threads: 1 });
    const expected = await session.run({
      images: ndarray('uint8', [batch.size, ...dataset.shape], batch.images),
    });
    await session.release();

    expect([...teacher.shapes.keys()]).to.deep.equal([...tensors.keys()]);
    expect([...teacher.shapes.keys()]).to.include.members(['stage1', 'stage3.preact', 'pooled', 'logits']);
    const found = await teacher.outputs(batch, [...tensors.keys()]);
    for (const [name, shape] of teacher.shapes) {
      expect(found[name]!.shape, name).to.deep.equal([batch.size, ...shape]);
      expectClose(found[name]!, expected[name]!, 1e-5, name);
    }
  });

  it('of a network are those that are asked for, of batches of any size', async () => {
    const two = await teacher.outputs(batch, ['logits', 'stage2']);
    expect(Object.keys(two)).to.have.members(['logits', 'stage2']);
    expectClose(two.logits!, await teacher.logits(batch), 1e-6, 'logits');
    const imageSize = 3 * 32 * 32;
    const third = { ...batch, images: batch.images.subarray(2 * imageSize, 3 * imageSize), size: 1 };
    const { stage2 } = await teacher.outputs(third, ['stage2']);
    const one = two.stage2!.data.length / batch.size;
    const row = (two.stage2!.data as Float32Array).subarray(2 * one, 3 * one);
    expectClose(stage2!, float32([1, ...teacher.shapes.get('stage2')!], row), 1e-5, 'stage2');
  });

  it('of several are those of each, and the mean of the logits', async () => {
    const rows = Float32Array.from({ length: 10 * batch.size }, (_, i) => Math.sin(i));
    let asked = 0;
    const other = logitsTeacher(10, {
      logits: () => {
        asked++;
        return Promise.resolve(ndarray('float32', [batch.size, 10], rows));
      },
      release: () => Promise.resolve(),
    });
    const both = ensemble([teacher, other]);
    expect(both.members).to.deep.equal([teacher, other]);
    expect([...both.shapes]).to.deep.equal([
      ['logits', [10]],
      ...[...teacher.shapes].map(([name, shape]) => [`0/${name}`, shape]),
      ['1/logits', [10]],
    ]);
    expect(both.network).to.equal(undefined);

    const { stage1, logits } = await teacher.outputs(batch, ['stage1', 'logits']);
    const found = await both.outputs(batch, ['logits', '0/stage1', '1/logits']);
    expectClose(found['0/stage1']!, stage1!, 1e-6, 'stage1');
    expect([...found['1/logits']!.data]).to.deep.equal([...rows]);
    const mean = Float32Array.from(logits!.data as Float32Array, (z, i) => (z + rows[i]!) / 2);
    expectClose(found.logits as NdArray, float32([batch.size, 10], mean), 1e-6, 'mean');
    expect(asked).to.equal(1);
    expect(Object.keys(await both.outputs(batch, ['0/stage1']))).to.deep.equal(['0/stage1']);
    expect(asked, 'a member of which nothing is wanted is not asked').to.equal(1);
  });

  it('that are logits alone are refused by a method that needs more, with what to choose', () => {
    const alone = logitsTeacher(10, { logits: () => Promise.reject(new Error()), release: () => Promise.resolve() });
    const needy: string[] = [];
    for (const [name, distiller] of Object.entries(distillers)) {
      if (!distiller.needsTeacher || name === 'multikd') continue;
      const options = {};
      expect(mistakes({ type: 'object', properties: distiller.options }, options), name).to.deep.equal([]);
      const { exampleStudent } = distiller;
      const taught = exampleStudent === undefined ? student : { ...student, net: nets[exampleStudent]!.build };
      const create = () =>
        Trainer.create(taught, [6], {
          seed: 0,
          methods: [{ name, distiller, options }],
          teacher: alone,
          examples: 12,
          optimizer: adam(),
          alpha: 0.9,
          temperature: 4,
          klReduction: 'batchmean',
          threads: 1,
        });
      try {
        create();
      } catch (error) {
        expect(error, name).to.be.instanceOf(UserError);
        expect((error as Error).message, name).to.match(
          /^the teacher outputs only logits, as cached logits do: choose a method on logits, such as "kd", or a "teacher" that is a net with a checkpoint or an ONNX file$|^"teacher" must be a net with a checkpoint/,
        );
        needy.push(name);
      }
    }
    expect(needy).to.include.members(['at', 'fitnet', 'fsp', 'rkd', 'crd', 'ab']).and.not.include('kd');
  });
});
