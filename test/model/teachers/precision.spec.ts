/** Tests model/teachers/precision.ts, model/teachers/int8_program.ts and model/training/int8_teacher.ts. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { optimizers } from '../../../engine/optimizers';
import { ndarray } from '../../../formats/ndarray';
import type { Batch } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { distillers } from '../../../model/distillers';
import { nets } from '../../../model/nets';
import type { Model } from '../../../model/nets/model';
import { loadTeacher, type Teacher } from '../../../model/teachers';
import { ensemble } from '../../../model/teachers/ensemble';
import { compareLogits, onIntegers, type PrecisionOptions } from '../../../model/teachers/precision';
import { logitsTeacher } from '../../../model/teachers/teacher';
import { TeacherCache } from '../../../model/teachers/teacher_cache';
import { refuseInt8 } from '../../../model/training/int8_teacher';
import { UserError } from '../../../utils/errors';
import { SharedCache } from '../../../utils/shared_cache';
import { expectClose } from '../../helpers/engine';
import { writeInitialWeights } from '../../helpers/train';

const dataset = makeShapes({ train: 40, test: 2, seed: 0 });
const student: Model = {
  net: nets.cnn!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0 },
  normalize: dataset.normalize,
  input: dataset.shape,
};
const validation = { split: dataset.train, indices: Uint32Array.from({ length: 8 }, (_, i) => i) };
const batch: Batch = {
  images: dataset.train.images.subarray(0, 6 * 3072),
  labels: Int32Array.from(dataset.train.labels.subarray(0, 6)),
  indices: Uint32Array.of(0, 1, 2, 3, 4, 5),
  size: 6,
};

describe('compareLogits', () => {
  it('has the closed form of two classes', () => {
    const reference = Float32Array.of(2, 0, 0, 2, 2, 0, 0, 0);
    const logits = Float32Array.of(1, 0, 0, 3, 0, 2, 0, 0);
    const {
      agreement,
      mean_difference: difference,
      kl_divergence: divergence,
    } = compareLogits(reference, logits, 2, 2);
    // The third row is reversed; ties count as the first class.
    expect(agreement).to.equal(3 / 4);
    expect(difference).to.equal(6 / 8);
    const logistic = (margin: number) => 1 / (1 + Math.exp(-margin / 2));
    const kl = (p: number, q: number) => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
    const expected = kl(logistic(2), logistic(1)) + kl(logistic(2), logistic(3)) + kl(logistic(2), logistic(-2));
    expect(divergence).to.be.closeTo(expected / 4, 1e-12);
  });

  it('is 1, 0 and 0 for the same logits', () => {
    const same = Float32Array.of(1, 2, 3, 3, 2, 1);
    expect(compareLogits(same, same, 3, 4)).to.deep.equal({ agreement: 1, mean_difference: 0, kl_divergence: 0 });
  });
});

describe('a teacher on 8-bit integers', () => {
  let folder: string;
  let checkpoint: string;
  let said: [level: string, line: string][];
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'precision-'));
    checkpoint = writeInitialWeights(join(folder, 'teacher.safetensors'), 'resnet8', 4);
  });
  beforeEach(() => (said = []));
  after(() => rmSync(folder, { recursive: true }));

  const log: PrecisionOptions['log'] = (level, line) => void said.push([level, line]);
  const options = (changes: Partial<PrecisionOptions> = {}): PrecisionOptions => ({
    dataset,
    validation,
    temperature: 4,
    names: ['a.safetensors'],
    isOwned: true,
    log,
    ...changes,
  });
  const load = (cache?: TeacherCache, more: object = {}) =>
    loadTeacher({ model: 'resnet8', checkpoint, num_channels: 4, ...more }, student, dataset, {
      threads: 1,
      log,
      cache,
    });

  /** A teacher whose logits say the class `offset` after the label, and on integers that of every `wrong`-th image is another. */
  function scripted(wrong: number): Teacher & { readonly released: string[] } {
    const released: string[] = [];
    const made = (name: string, shift: (example: number) => number): Teacher =>
      logitsTeacher(10, {
        logits: ({ indices, size }) => {
          const logits = ndarray('float32', [size, 10]);
          indices.forEach((example, i) => (logits.data[10 * i + shift(example)] = 5));
          return Promise.resolve(logits);
        },
        release: () => Promise.resolve(void released.push(name)),
      });
    const quantized = () => Promise.resolve(made('int8', (example) => ((example + 1) % wrong === 0 ? 1 : 0)));
    return { ...made('float32', () => 0), quantized, released };
  }

  it('gives the logits of float32 to a few thousandths, of images at another size too', async () => {
    for (const more of [{}, { size: 48 }]) {
      const teacher = await load(undefined, more);
      const expected = await teacher.logits(batch);
      const { teacher: int8, comparisons } = await onIntegers(teacher, options({ agreement: 0 }));
      const logits = await int8.logits(batch);
      expectClose(logits, expected, 0.03);
      expect(logits.data).to.not.deep.equal(expected.data);
      expect(comparisons).to.have.lengthOf(1);
      expect(comparisons[0]).to.deep.include({ precision: 'int8', images: 8, temperature: 4 });
      expect([...int8.shapes]).to.deep.equal([['logits', [10]]]);
      await int8.release();
    }
    expect(said.map(([level]) => level)).to.deep.equal(['info', 'info']);
  });

  it('takes the place of float32 where enough images agree, and says so', async () => {
    const teacher = scripted(4);
    const { teacher: chosen, comparisons } = await onIntegers(teacher, options({ agreement: 0.75 }));
    expect([...(await chosen.logits(batch)).data.subarray(30, 32)]).to.deep.equal([0, 5]);
    expect(teacher.released).to.deep.equal(['float32']);
    expect(comparisons[0]).to.deep.include({ precision: 'int8', agreement: 0.75, mean_difference: 0.25 });
    expect(said).to.deep.equal([
      [
        'info',
        'Teacher a.safetensors: on 8-bit integers it predicts the class of its float32 self for 75.00 % of 8 validation images ' +
          `(mean |Δ logit| 0.250, KL ${comparisons[0]!.kl_divergence.toPrecision(3)} at temperature 4)`,
      ],
    ]);
  });

  it('leaves it float32 below that, with a warning', async () => {
    const teacher = scripted(4);
    const { teacher: chosen, comparisons } = await onIntegers(teacher, options());
    expect(chosen).to.equal(teacher);
    expect(teacher.released).to.deep.equal(['int8']);
    expect(comparisons[0]).to.deep.include({ precision: 'float32', agreement: 0.75 });
    expect(said).to.have.lengthOf(1);
    expect(said[0]![0]).to.equal('warn');
    expect(said[0]![1]).to.match(/, accepted are 98 % \("teacher_agreement"\): it stays float32$/);
  });

  it('is decided for each member of several', async () => {
    const [good, bad] = [scripted(Infinity), scripted(2)];
    const { teacher, comparisons } = await onIntegers(ensemble([good, bad]), options({ names: ['a', 'b'] }));
    expect(comparisons.map(({ precision }) => precision)).to.deep.equal(['int8', 'float32']);
    expect([good.released, bad.released]).to.deep.equal([['float32'], ['int8']]);
    expect(teacher.members![1]).to.equal(bad);
    expect(said.map(([level, line]) => [level, line.slice(0, 10)])).to.deep.equal([
      ['info', 'Teacher a:'],
      ['warn', 'Teacher b:'],
    ]);
  });

  it('is compared on training images where none are held out, and leaves a teacher of others open', async () => {
    const teacher = scripted(Infinity);
    const none = { split: dataset.train, indices: new Uint32Array() };
    await onIntegers(teacher, options({ validation: none, isOwned: false }));
    expect(said[0]![1]).to.contain('100.00 % of 40 training images');
    expect(teacher.released).to.deep.equal([]);
  });

  it('has outputs of its own in a cache, the same for all validation images', async () => {
    const cacheFolder = join(folder, 'cache');
    const open = () => {
      const files = new SharedCache(cacheFolder, 1e8, () => {});
      return new TeacherCache(files, { threads: 1, repeats: false, log });
    };
    const folders = () => readdirSync(cacheFolder).sort();
    const float32 = await load(open());
    await float32.logits(batch);
    const [plain] = folders();
    await float32.release();

    const identities = [];
    for (const indices of [validation.indices, Uint32Array.of(30, 31, 32, 33)]) {
      const cache = open();
      const how = options({ validation: { ...validation, indices }, agreement: 0 });
      const { teacher } = await onIntegers(await load(cache), how);
      const before = { ...cache.counts };
      const logits = await teacher.logits(batch);
      identities.push(teacher.identity!(['logits']));
      expect(logits.data).to.not.deep.equal((await (await load()).logits(batch)).data);
      expect(cache.counts.cached - before.cached, 'the first computes, the second finds').to.equal(
        identities.length === 1 ? 0 : batch.size,
      );
      await teacher.release();
    }
    expect(identities[0]).to.equal(identities[1]);
    expect(folders().filter((name) => name !== plain)).to.have.lengthOf(1);
  });

  it('is refused for methods that look inside, or through it', async () => {
    const teacher = await load();
    const step = {
      batchSize: 4,
      seed: 0,
      examples: 40,
      optimizer: optimizers.adam!.make({ learningRate: 1e-3, weightDecay: 0 }),
      alpha: 0.9,
      temperature: 4,
      klReduction: 'batchmean' as const,
    };
    const refusal = (name: string, taught: Teacher = teacher) => {
      const method = { name, distiller: distillers[name]!, options: { ...defaults(name) } };
      try {
        refuseInt8({ ...student, net: nets.resnet8!.build }, { ...step, teacher: taught, methods: [method] });
      } catch (error) {
        expect(error).to.be.instanceOf(UserError);
        return (error as Error).message;
      }
      return undefined;
    };
    for (const name of ['kd', 'dkd', 'nokd']) expect(refusal(name), name).to.equal(undefined);
    expect(refusal('kd', ensemble([teacher, teacher]))).to.equal(undefined);
    expect(refusal('at')).to.match(
      /^"teacher_precision" must be "float32" if "method" is "at", which reads "stage\d" of the teacher$/,
    );
    expect(refusal('data_free')).to.equal(
      '"teacher_precision" must be "float32" if "method" is "data_free", whose gradients flow through the teacher',
    );
    await teacher.release();
  });
});

/** The defaults of the options of a method. */
function defaults(name: string): object {
  const own = Object.entries(distillers[name]!.options ?? {});
  return Object.fromEntries(own.flatMap(([key, schema]) => ('default' in schema ? [[key, schema.default]] : [])));
}
