/** Outputs of teachers that are computed once: to the bit those that would have been computed, for these pixels alone. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ModelProto } from '../../../engine/onnx/proto';
import { State } from '../../../engine/session';
import { bytesOf, ndarray, sizeOf, type NdArray } from '../../../formats/ndarray';
import { writeNpy } from '../../../formats/npy';
import { writeSafetensors } from '../../../formats/safetensors';
import { batches, lookingAhead, type Batch } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import type { Params } from '../../../model/experiment/params';
import { nets } from '../../../model/nets';
import { evaluationGraph, type Model } from '../../../model/nets/model';
import { loadTeacher, type Teacher } from '../../../model/teachers';
import type { TeacherParams } from '../../../model/teachers';
import { TeacherCache, teacherCacheOf } from '../../../model/teachers/teacher_cache';
import { SharedCache } from '../../../utils/shared_cache';
import { writeInitialWeights } from '../../helpers/train';

const TRAIN = 90;
const dataset = makeShapes({ train: TRAIN, test: 1, seed: 0 });
const student: Model = {
  net: nets.cnn!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0 },
  normalize: dataset.normalize,
  input: dataset.shape,
};
const all = Uint32Array.from({ length: TRAIN }, (_, i) => i);

/** An epoch of three batches, the last of them smaller. */
function pass(changes: object = {}): Batch[] {
  const options = { shape: dataset.shape, batchSize: 32, seed: 1, epoch: 1, shuffle: true, augment: true };
  return [...batches(dataset.train, all, { ...options, ...changes })];
}

/** A teacher of two outputs that follow from the first pixels of an image, and, if told so, from its place in the batch. */
function plainTeacher(identity: string, dependsOnPlace = false): Teacher & { readonly asked: Uint8Array[] } {
  const asked: Uint8Array[] = [];
  const shapes = new Map([
    ['logits', [10]],
    ['map', [2, 3]],
  ]);
  const outputs = ({ images, size }: Batch, names: readonly string[]) => {
    asked.push(images);
    const pixel = (i: number, k: number) => images[i * sizeOf(dataset.shape) + 500 + k]!;
    const valuesOf = (name: string): [string, NdArray] => {
      const shape = shapes.get(name)!;
      const values = ndarray('float32', [size, ...shape]);
      const one = sizeOf(shape);
      values.data.forEach((_, at) => {
        const i = Math.floor(at / one);
        values.data[at] = Math.sin(pixel(i, at % one) + name.length) + (dependsOnPlace ? i * 1e-7 : 0);
      });
      return [name, values];
    };
    return Promise.resolve(Object.fromEntries(names.map(valuesOf)));
  };
  return {
    asked,
    shapes,
    identity: () => identity,
    logits: async (batch) => (await outputs(batch, ['logits'])).logits!,
    outputs,
    release: () => Promise.resolve(),
  };
}

const bitsOf = (outputs: Record<string, NdArray>) =>
  Object.entries(outputs).map(([name, array]) => [name, array.shape, Buffer.from(bytesOf(array)).toString('hex')]);

describe('TeacherCache', function () {
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'teacher-cache-'));
  after(() => rmSync(scratch, { recursive: true }));
  let made = 0;
  let folder: string;
  let said: string[];
  beforeEach(() => {
    folder = join(scratch, String(made++));
    said = [];
  });

  /** A cache as a process of its own would have it. */
  function open(changes: { repeats?: boolean; threads?: number; maxBytes?: number } = {}): TeacherCache {
    const { maxBytes = 1e8, ...options } = changes;
    const log = (_: string, line: string) => void said.push(line);
    return new TeacherCache(new SharedCache(folder, maxBytes, (line) => log('warn', line)), {
      repeats: false,
      threads: 1,
      ...options,
      log,
    });
  }
  /** What a teacher gives for batches, and how many of these it was asked for. */
  async function through(cache: TeacherCache, epoch: readonly Batch[], names = ['logits', 'map'], id = 'one') {
    const teacher = plainTeacher(id);
    const cached = cache.around(teacher);
    const found: unknown[] = [];
    for (const batch of epoch) found.push(bitsOf(await cached.outputs(batch, names)));
    return { found, asked: teacher.asked.length };
  }
  const directly = async (epoch: readonly Batch[], names = ['logits', 'map']) => {
    const teacher = plainTeacher('');
    return Promise.all(epoch.map(async (batch) => bitsOf(await teacher.outputs(batch, names))));
  };
  const filesIn = (path: string) =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));

  it('gives others to the bit what was computed, batches of all sizes, without asking', async () => {
    const epoch = pass();
    expect(epoch.map(({ size }) => size)).to.deep.equal([32, 32, 26]);
    const expected = await directly(epoch);
    const first = open();
    expect(await through(first, epoch)).to.deep.equal({ found: expected, asked: 3 });
    expect(first.counts).to.deep.equal({ computed: 90, cached: 0 });
    const second = open();
    expect(await through(second, pass())).to.deep.equal({ found: expected, asked: 0 });
    expect(second.counts).to.deep.equal({ computed: 0, cached: 90 });
  });

  it('tells apart whatever the outputs depend on', async () => {
    await through(open(), pass());
    const others: [what: string, epoch: Batch[], names?: string[], identity?: string, cache?: TeacherCache][] = [
      ['the seed', pass({ seed: 2 })],
      ['the epoch', pass({ epoch: 2 })],
      ['the augmentation', pass({ augment: false })],
      ['the size of batches', pass({ batchSize: 30 })],
      ['the names of outputs', pass(), ['logits']],
      ['the order of outputs', pass(), ['map', 'logits']],
      ['the teacher', pass(), undefined, 'two'],
      ['the number of threads', pass(), undefined, undefined, open({ threads: 2 })],
    ];
    for (const [what, epoch, names, identity, cache = open()] of others) {
      const { found, asked } = await through(cache, epoch, names, identity);
      expect(asked, what).to.equal(3);
      expect(found, what).to.deep.equal(await directly(epoch, names));
    }
  });

  it('computes again what is damaged, and mends it', async () => {
    const epoch = pass();
    const expected = await directly(epoch);
    const damages: ((path: string) => void)[] = [
      (path) => truncateSync(path, 100),
      (path) => truncateSync(path, 0),
      (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1)])),
      ...[3, 17, 32 * 20 + 5].map((at) => (path: string) => {
        const content = readFileSync(path);
        content[at]! ^= 1;
        writeFileSync(path, content);
      }),
    ];
    await through(open(), epoch);
    for (const repeats of [false, true]) {
      for (const damage of damages) {
        const paths = filesIn(folder);
        expect(paths).to.have.lengthOf(3);
        damage(paths[1]!);
        said = [];
        expect(await through(open({ repeats }), epoch)).to.deep.equal({ found: expected, asked: 1 });
        expect(said).to.have.lengthOf(1);
        expect(said[0]).to.include(paths[1]!).and.to.include('damaged');
        expect((await through(open({ repeats }), epoch)).asked).to.equal(0);
      }
    }
  });

  it('shares the work with a run that goes at the same pace', async () => {
    const epochs = [1, 2, 3, 4].flatMap((epoch) => pass({ epoch }));
    const expected = await directly(epochs);
    /** The batches as a loader gives them; while the teacher works, others do. */
    const lockstep = async () => {
      const teacher = plainTeacher('one');
      const slow = {
        ...teacher,
        outputs: async (batch: Batch, names: readonly string[]) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          return teacher.outputs(batch, names);
        },
      };
      const cached = open().around(slow);
      const found: unknown[] = [];
      async function* loaded() {
        for (const batch of epochs) yield await Promise.resolve(batch);
      }
      for await (const batch of lookingAhead(loaded()))
        found.push(bitsOf(await cached.outputs(batch, ['logits', 'map'])));
      return { found, asked: teacher.asked.length };
    };
    const [one, two] = await Promise.all([lockstep(), lockstep()]);
    expect([one.found, two.found]).to.deep.equal([expected, expected]);
    expect(one.asked + two.asked).to.be.at.most(epochs.length + 3);
    expect(Math.max(one.asked, two.asked)).to.be.at.most(epochs.length / 2 + 3);
  });

  it('does not wait for a run that is gone', async () => {
    const epoch = pass();
    const dead = open();
    const teacher = { ...plainTeacher('one'), outputs: () => Promise.reject(new Error('killed')) };
    for (const batch of epoch) {
      await dead
        .around(teacher)
        .outputs(batch, ['logits', 'map'])
        .catch(() => undefined);
    }
    expect(filesIn(folder).every((path) => path.endsWith('.claim'))).to.equal(true);
    expect(filesIn(folder)).to.have.lengthOf(3);
    const { found, asked } = await through(open(), epoch);
    expect(found).to.deep.equal(await directly(epoch));
    expect(asked).to.equal(3);
    expect(filesIn(folder).some((path) => path.endsWith('.claim'))).to.equal(false);
  });

  it('finds the same pixels in batches of later epochs, which are tried once', async () => {
    const plain = (epoch: number) => pass({ epoch, augment: false, batchSize: 29 });
    const cache = open({ repeats: true });
    const teacher = plainTeacher('one');
    const cached = cache.around(teacher);
    const asked: number[] = [];
    for (let epoch = 1; epoch <= 6; epoch++) {
      for (const batch of plain(epoch)) {
        const [expected] = await directly([batch]);
        expect(bitsOf(await cached.outputs(batch, ['logits', 'map']))).to.deep.equal(expected);
      }
      asked.push(teacher.asked.length);
    }
    // Each epoch the smaller batch, whose size few others have had; in the second one those with images of the first one's.
    expect(asked[0]).to.equal(4);
    expect(asked[1]).to.be.at.most(8);
    expect(asked[5]! - asked[3]!).to.be.at.most(2);

    // A run that goes on later finds what is on the disk.
    const again = plainTeacher('one');
    const resumed = open({ repeats: true }).around(again);
    for (const batch of plain(7)) await resumed.outputs(batch, ['logits', 'map']);
    expect(again.asked.length).to.be.at.most(2);
    expect(said).to.deep.equal([]);
  });

  it('does not use rows of other batches of a teacher that looks at the place of an image', async () => {
    const cached = open({ repeats: true }).around(plainTeacher('one', true));
    const direct = plainTeacher('', true);
    for (let epoch = 1; epoch <= 4; epoch++) {
      for (const batch of pass({ epoch, augment: false })) {
        const expected = bitsOf(await direct.outputs(batch, ['logits']));
        expect(bitsOf(await cached.outputs(batch, ['logits']))).to.deep.equal(expected);
      }
    }
    expect(said[0]).to.match(/depend on its batch/);
  });

  it('goes on where there is no room', async () => {
    const epoch = pass();
    const cache = open({ maxBytes: 1000 });
    expect(await through(cache, epoch)).to.deep.equal({ found: await directly(epoch), asked: 3 });
    expect(await through(cache, epoch)).to.deep.equal({ found: await directly(epoch), asked: 3 });
    expect(said).to.deep.equal([]);
  });

  describe('around teachers of params.json', () => {
    const checkpoint = (name: string, net: string, channels = 4) =>
      writeInitialWeights(join(scratch, `${name}.safetensors`), net, channels);
    async function outputsOf(teacher: TeacherParams | TeacherParams[], names: string[], repeats = false) {
      const cache = open({ repeats });
      const context = { threads: 1, cache, log: () => {} };
      const loaded = await loadTeacher(teacher, student, dataset, context);
      const plain = await loadTeacher(teacher, student, dataset, { ...context, cache: undefined });
      for (const epoch of repeats ? [1, 2] : [1]) {
        for (const batch of pass(repeats ? { epoch, augment: false, batchSize: 30 } : { epoch })) {
          const expected = bitsOf(await plain.outputs(batch, names));
          expect(bitsOf(await loaded.outputs(batch, names))).to.deep.equal(expected);
        }
      }
      await Promise.all([loaded.release(), plain.release()]);
      return { counts: cache.counts, teacher: loaded };
    }

    it('tells networks apart by their weights and what is done to their images', async () => {
      const path = checkpoint('cnn', 'cnn');
      const teacher = { model: 'cnn', checkpoint: path, num_channels: 4 };
      const { counts, teacher: loaded } = await outputsOf(teacher, ['logits', 'pooled']);
      expect(counts).to.deep.equal({ computed: 90, cached: 0 });
      expect(loaded.network!.weights.size).to.be.greaterThan(10);
      expect((await outputsOf(teacher, ['logits', 'pooled'])).counts.cached).to.equal(90);
      const normalize = { mean: [0.5, 0.5, 0.5], std: [0.1, 0.2, 0.3] };
      expect((await outputsOf({ ...teacher, normalize }, ['logits', 'pooled'])).counts.cached).to.equal(0);

      const weights = State.initial(evaluationGraph(student)).arrays();
      (weights.get('fc2.bias')!.data as Float32Array)[3]! += 1e-6;
      writeSafetensors(path, weights);
      expect((await outputsOf(teacher, ['logits', 'pooled'])).counts.cached).to.equal(0);
    });

    it('keeps what each of several gives, but for logits that were computed before', async () => {
      const resnet8 = { model: 'resnet8', checkpoint: checkpoint('resnet8', 'resnet8'), num_channels: 4 };
      const cnn = { model: 'cnn', checkpoint: checkpoint('cnn8', 'cnn', 8), num_channels: 8 };
      const logits = join(scratch, 'logits.npy');
      writeNpy(
        logits,
        ndarray(
          'float32',
          [TRAIN, 10],
          Float32Array.from({ length: TRAIN * 10 }, (_, i) => Math.sin(i)),
        ),
      );
      const names = ['logits', '0/stage2', '2/logits'];
      const first = await outputsOf([resnet8, cnn, { logits }], names);
      expect(first.counts).to.deep.equal({ computed: 180, cached: 0 });
      expect(first.teacher.members).to.have.lengthOf(3);
      expect((await outputsOf([resnet8, cnn, { logits }], names)).counts).to.deep.equal({ computed: 0, cached: 180 });
      // One of them alone is known already.
      expect((await outputsOf(cnn, ['logits'])).counts.cached).to.equal(90);
    });

    it('keeps what an ONNX file gives, as long as it is that file and is fed the same', async () => {
      const onnx = join(scratch, 'teacher.onnx');
      const model = readFileSync(join(__dirname, '..', '..', 'fixtures', 'teachers', 'open_batch.onnx'));
      writeFileSync(onnx, model);
      const teacher = { onnx, layout: 'NCHW', output: 'logits' } as const;
      expect((await outputsOf(teacher, ['logits'])).counts).to.deep.equal({ computed: 90, cached: 0 });
      expect((await outputsOf(teacher, ['logits'])).counts).to.deep.equal({ computed: 0, cached: 90 });
      const normalize = { mean: [0.5, 0.5, 0.5], std: [0.1, 0.2, 0.3] };
      expect((await outputsOf({ ...teacher, normalize }, ['logits'])).counts.cached).to.equal(0);
      // Messages in protobuf are merged by putting one behind the other.
      const addition = ModelProto.encode({ metadataProps: [{ key: 'version', value: '2' }] }).finish();
      writeFileSync(onnx, Buffer.concat([model, addition]));
      expect((await outputsOf(teacher, ['logits'])).counts.cached).to.equal(0);
    });

    it('gives rows that do not depend on their batch, of networks as they are', async () => {
      for (const net of ['cnn', 'resnet8', 'mlp']) {
        const path = join(scratch, `${net}.safetensors`);
        const model = { ...student, net: nets[net]!.build, options: { ...student.options, hiddenSizes: [20, 20] } };
        writeSafetensors(path, State.initial(evaluationGraph(model)).arrays());
        const teacher = { model: net, checkpoint: path, num_channels: 4, hidden_sizes: [20, 20] };
        const { counts } = await outputsOf(teacher, ['logits'], true);
        // The first batch of the second epoch is tried.
        expect(counts, net).to.deep.equal({ computed: 120, cached: 60 });
        expect(said, net).to.deep.equal([]);
      }
    });
  });

  describe('of a run', () => {
    const params = { augmentation: 'yes', num_epochs: 3, threads: 1 } as unknown as Params;
    const own = join(scratch, 'own');
    const cacheOf = (changes: Partial<Params>, shared?: string) =>
      teacherCacheOf({ ...params, ...changes }, { shared, own, log: () => {} });

    it('is there where it pays, and where it is shared', () => {
      expect(cacheOf({})).to.equal(undefined);
      expect(cacheOf({}, 'shared')).to.be.an.instanceOf(TeacherCache);
      expect(cacheOf({ augmentation: 'no' })).to.be.an.instanceOf(TeacherCache);
      expect(cacheOf({ augmentation: 'no', num_epochs: 1 })).to.equal(undefined);
      expect(cacheOf({ teacher_views: 2 })).to.be.an.instanceOf(TeacherCache);
      expect(cacheOf({ teacher_views: 3 })).to.equal(undefined);
      expect(cacheOf({ augmentation: 'no', teacher_cache_gigabytes: 0 }, 'shared')).to.equal(undefined);
    });
  });
});
