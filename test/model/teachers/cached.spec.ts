/** Cached logits as a teacher, several teachers as one, and checkpoints that are no teacher. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ndarray, type NdArray } from '../../../formats/ndarray';
import { writeNpy } from '../../../formats/npy';
import { readSafetensors, writeSafetensors } from '../../../formats/safetensors';
import { batches, type Batch } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { nets } from '../../../model/nets';
import type { Model } from '../../../model/nets/model';
import { loadTeacher } from '../../../model/teachers';
import type { TeacherParams } from '../../../model/teachers';
import { ensemble } from '../../../model/teachers/ensemble';
import { logitsTeacher, type Teacher } from '../../../model/teachers/teacher';
import { writeInitialWeights } from '../../helpers/train';
import { complaintOf } from '../../utils/rows';

const dataset = makeShapes({ train: 30, test: 12, seed: 0 });
const student: Model = {
  net: nets.cnn!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0 },
  normalize: dataset.normalize,
  input: dataset.shape,
};

/** 30 × 10 numbers whose largest in a row is at the label; all are different. */
const logits = Float32Array.from(
  { length: 300 },
  (_, i) => i / 512 + (i % 10 === dataset.train.labels[Math.floor(i / 10)]! ? 9 : 0),
);

/** A .npy file of version 1. */
function npy(descr: string, order: boolean, shape: readonly number[], values: NodeJS.ArrayBufferView): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': ${order ? 'True' : 'False'}, 'shape': (${shape.join(', ')}), }`;
  const length = Buffer.from([header.length, 0]);
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), bytes]);
}

/** A shuffled batch of the training set. */
function shuffled(): Batch {
  const indices = Uint32Array.from({ length: 30 }, (_, i) => i);
  const pass = { shape: dataset.shape, batchSize: 7, seed: 1, epoch: 3, shuffle: true, augment: false };
  return [...batches(dataset.train, indices, pass)][1]!;
}

/** A teacher whose logits for example i are those of `rows` at i. */
const fixed = (rows: Float32Array): Teacher =>
  logitsTeacher(10, {
    logits: ({ indices, size }) =>
      Promise.resolve(
        ndarray(
          'float32',
          [size, 10],
          Float32Array.from({ length: 10 * size }, (_, i) => rows[indices[Math.floor(i / 10)]! * 10 + (i % 10)]!),
        ),
      ),
    release: () => Promise.resolve(),
  });

describe('teachers', () => {
  let folder: string;
  let path: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'teachers-'));
    path = join(folder, 'logits.npy');
  });
  after(() => rmSync(folder, { recursive: true }));

  const load = (teacher: TeacherParams | TeacherParams[]) =>
    loadTeacher(teacher, student, dataset, { threads: 1, log: () => {} });

  describe('with cached logits', () => {
    it('give the rows of the examples of a batch, from every form of the file', async () => {
      const batch = shuffled();
      const expected = await fixed(logits).logits(batch);
      expect(new Set(batch.indices).size).to.equal(7);
      const transposed = Float32Array.from(logits, (_, i) => logits[(i % 30) * 10 + Math.floor(i / 30)]!);
      const files = [
        npy('<f4', false, [30, 10], logits),
        npy('<f4', true, [30, 10], transposed),
        npy('<f8', false, [30, 10], Float64Array.from(logits)),
      ];
      for (const file of files) {
        writeFileSync(path, file);
        expect(await (await load({ logits: path })).logits(batch)).to.deep.equal(expected);
      }
    });

    const wide = (row: number, value: number) => Float64Array.from(logits, (z, i) => (i === 10 * row + 4 ? value : z));
    const size =
      /accepted is \[30, 10\]: one row for each of the 30 training images of shapes, one column for each of its 10 classes$/;
    const refused: [what: string, file: Uint8Array, says: RegExp][] = [
      ['too few rows', npy('<f4', false, [29, 10], logits.subarray(10)), size],
      ['too many rows', npy('<f4', false, [31, 10], new Float32Array(310)), size],
      ['too many classes', npy('<f4', false, [30, 11], new Float32Array(330)), size],
      ['rows for columns', npy('<f4', false, [10, 30], logits), size],
      ['another axis', npy('<f4', false, [30, 10, 1], logits), size],
      ['integers', npy('<i4', false, [30, 10], new Int32Array(300)), /^holds int32, accepted are float32 and float64$/],
      ['NaN', npy('<f8', false, [30, 10], wide(17, NaN)), /^row 17 has a value that is not finite in float32$/],
      [
        'more than float32 can hold',
        npy('<f8', false, [30, 10], wide(3, 1e39)),
        /^row 3 has a value that is not finite/,
      ],
      ['bytes of another kind', Buffer.from('no array'), /^not a valid \.npy file: /],
    ];
    for (const [what, file, says] of refused) {
      it(`may not have ${what}`, async () => {
        writeFileSync(path, file);
        expect(await complaintOf(path, () => load({ logits: path }))).to.match(says);
      });
    }
  });

  it('that are several give the mean of their logits', async () => {
    const others = logits.map((z, i) => Math.fround(Math.sin(i) * 100 + z));
    const third = logits.map((_, i) => i % 3);
    const mean = (a: NdArray, b: NdArray, c: NdArray) =>
      ndarray(
        'float32',
        a.shape,
        Float32Array.from(a.data as Float32Array, (z, i) => (z + Number(b.data[i]) + Number(c.data[i])) / 3),
      );
    const members = [logits, others, third].map(fixed);
    const batch = shuffled();
    const [a, b, c] = await Promise.all(members.map((member) => member.logits(batch)));
    expect(await ensemble(members).logits(batch)).to.deep.equal(mean(a!, b!, c!));
  });

  it('may be a list of several kinds', async () => {
    const checkpoint = writeInitialWeights(join(folder, 'cnn.safetensors'), 'cnn', 4);
    writeNpy(path, ndarray('float32', [30, 10], logits));
    const net = { model: 'cnn', num_channels: 4, checkpoint };
    const batch = shuffled();
    const [one, cached, both] = await Promise.all([net, { logits: path }, [net, { logits: path }]].map(load));
    const [a, b, mean] = await Promise.all([one!, cached!, both!].map((teacher) => teacher.logits(batch)));
    for (let i = 0; i < 70; i++) {
      expect(mean!.data[i]).to.be.closeTo((Number(a!.data[i]) + Number(b!.data[i])) / 2, 1e-6);
      expect(a!.data[i]).not.to.equal(b!.data[i]);
    }
    await both!.release();
    await one!.release();
  });

  it('from checkpoints may not have weights that are not finite', async () => {
    const checkpoint = writeInitialWeights(join(folder, 'nan.safetensors'), 'cnn', 4);
    const { tensors } = readSafetensors(checkpoint);
    tensors.get('fc1.bias')!.data[3] = NaN;
    writeSafetensors(checkpoint, tensors);
    expect(await complaintOf(checkpoint, () => load({ model: 'cnn', num_channels: 4, checkpoint }))).to.equal(
      'fc1.bias has a value that is not finite',
    );
  });
});
