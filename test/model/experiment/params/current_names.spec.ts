/** Old names of networks, methods and augmentations: each stays accepted, and a run that began under it goes on to the bit. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sgd } from '../../../../engine/optimizers';
import { State } from '../../../../engine/session';
import { bytesOf } from '../../../../formats/ndarray';
import { augmentationAliases, augmentations } from '../../../../model/data/augmentation';
import { distillers, methodAliases } from '../../../../model/distillers';
import { inWords } from '../../../../model/experiment/describe';
import { changedKeys, parseParams, type Params } from '../../../../model/experiment/params';
import { plannedRuns } from '../../../../model/experiment/stages';
import { netAliases, netCalled, nets } from '../../../../model/nets';
import { evaluationGraph, outputShapes, type Model } from '../../../../model/nets/model';
import { checkpointOf } from '../../../../model/teachers/checkpoint';
import { phasesOf, trainingGraph } from '../../../../model/training/step_graph';
import { UserError } from '../../../../utils/errors';
import { writeJson } from '../../../../utils/files';
import { method } from '../../../helpers/training';

const plain = { model_version: 'cnn', learning_rate: 0.1, num_epochs: 1 };
const parse = (given: object) => parseParams({ ...plain, ...given }, 'params.json');
const messageOf = (given: object) => {
  try {
    parse(given);
  } catch (error) {
    expect(error).to.be.instanceOf(UserError);
    return (error as UserError).message;
  }
  throw new Error('accepted');
};

/** Where an old name may stand, and the current one in its place. */
type Place = (name: string) => object;
const placesOf: readonly (readonly [kind: string, aliases: typeof netAliases, places: readonly Place[]])[] = [
  [
    'network',
    netAliases,
    [
      (name) => ({ model_version: name }),
      (name) => ({ model_version: `${name}_distill`, teacher: 'cnn' }),
      (name) => ({ teacher: name }),
      (name) => ({ teacher: [{ model: name, num_channels: 8 }, 'cnn'], method: 'kd' }),
      (name) => ({ method: { name: 'dml', peer: name } }),
      (name) => ({ method: ['kd', { name: 'takd', assistants: ['resnet20', name] }], teacher: 'cnn' }),
    ],
  ],
  [
    'method',
    methodAliases,
    [
      (name) => ({ method: name, teacher: 'cnn' }),
      (name) => ({ method: { name }, teacher: 'cnn' }),
      (name) => ({ method: ['kd', name], teacher: 'cnn' }),
    ],
  ],
  [
    'augmentation',
    augmentationAliases,
    [(name) => ({ augmentation: ['crop', name] }), (name) => ({ augmentation: [{ name, saturation: 0.1 }] })],
  ],
];

/** Filled params as a checkpoint of an earlier version has them: with the old name in place of the current one. */
function asOfOld(params: Params, current: string, old: string): Params {
  const renamed = (value: unknown): unknown => {
    if (value === current) return old;
    if (value === `${current}_distill`) return `${old}_distill`;
    if (Array.isArray(value)) return value.map(renamed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, renamed(one)]));
  };
  return renamed(params) as Params;
}

describe('old names', () => {
  for (const [kind, aliases, places] of placesOf) {
    for (const [old, { name, origin }] of Object.entries(aliases)) {
      it(`${old} is the ${kind} ${name}, in params.json and in checkpoints`, () => {
        expect(origin).to.match(/\w/);
        for (const place of places) {
          const params = parse(place(name));
          expect(parse(place(old))).to.deep.equal(params);
          expect(JSON.stringify(asOfOld(params, name, old))).to.include(`"${old}`);
          expect(changedKeys(asOfOld(params, name, old), params)).to.deep.equal([]);
        }
      });
    }
  }

  it('stand for names that there are, and are none themselves', () => {
    for (const [aliases, entries] of [
      [netAliases, nets],
      [methodAliases, distillers],
      [augmentationAliases, augmentations],
    ] as const) {
      for (const [old, { name }] of Object.entries(aliases)) {
        expect(entries).to.have.property(name);
        expect(entries).not.to.have.property(old);
      }
    }
  });

  it('are not listed in messages, but recognized where they are mistyped', () => {
    const cases: [given: object, old: string, meant: string][] = [
      [{ augmentation: ['colour_jiter'] }, '"colour_jitter"', '"color_jitter"'],
      [{ augmentation: [{ name: 'colour_jiter' }] }, '"colour_jitter"', '"color_jitter"'],
      [{ method: 'datafre', teacher: 'cnn' }, '"datafree"', '"data_free"'],
      [{ model_version: 'resnet164_sn' }, '"resnet164_sm"', '"resnet164_projection"'],
      [{ model_version: 'WRN16_4_distil' }, '"WRN16_4_distill"', '"wrn16_4_distill"'],
      [{ teacher: 'WRN28_22' }, '"WRN28_2"', '"wrn28_2"'],
      [{ method: { name: 'dml', peer: 'WRN28_22' } }, '"WRN28_2"', '"wrn28_2"'],
    ];
    for (const [given, old, meant] of cases) {
      const message = messageOf(given);
      expect(message).to.include(`did you mean ${meant}?`);
      expect(message).not.to.include(old);
    }
  });

  it('are networks from code, and methods in words', () => {
    expect(netCalled('WRN16_4')).to.equal(nets.wrn16_4);
    expect(inWords('oh')).to.equal(inWords('ofd'));
    expect(inWords('all')).not.to.match(/^(oh|fd|dataset|datafree) /m);
  });
});

describe('what is named after a network or a method', () => {
  let folder: string;
  const here = process.cwd();
  before(() => process.chdir((folder = mkdtempSync(join(tmpdir(), 'names-')))));
  after(() => {
    process.chdir(here);
    rmSync(folder, { recursive: true });
  });

  it('is a teacher found in the directory of its old name', () => {
    const teacher = { model: 'wrn28_10', num_channels: 32 };
    expect(() => checkpointOf(teacher)).to.throw(UserError, join('experiments', 'base_wrn28_10', 'best.safetensors'));
    const old = join('experiments', 'base_wrn');
    mkdirSync(old, { recursive: true });
    writeFileSync(join(old, 'best.safetensors'), '');
    expect(checkpointOf(teacher)).to.equal(join(old, 'best.safetensors'));
  });

  it('is a stage in the folder of an old name where it has begun there', () => {
    writeJson('params.json', { ...plain, method: { name: 'takd', assistants: ['WRN10_1'] }, teacher: 'cnn' });
    const [first] = plannedRuns('.');
    expect(first!.directory).to.equal(join('stages', '1_wrn10_1'));
    mkdirSync(join('stages', '1_WRN10_1'), { recursive: true });
    const [begun, last] = plannedRuns('.');
    expect(begun!.directory).to.equal(join('stages', '1_WRN10_1'));
    expect(last!.params.teacher).to.deep.include({ checkpoint: '{model_dir}/stages/1_WRN10_1/best.safetensors' });
  });

  /** SHA-256 of the states' names and first values and of what a step is fed, as the methods had them by their old names. */
  const digests: Readonly<Record<string, readonly string[]>> = {
    ofd: ['fd1d01d51efa8810'],
    sfd: ['769d872aeb6cdfb3'],
    data_free: ['09522ede64cf378d', '3c37ce9cb58e2141'],
    dataset_distillation: ['30b86f88631e6646', 'c7c7bec37e35967d'],
  };
  const modelOf = (name: string): Model => ({
    net: nets[name]!.build,
    options: { classes: 10, numChannels: 8, dropoutRate: 0 },
    normalize: { mean: [0, 0, 0], std: [1, 1, 1] },
    input: [3, 32, 32],
  });

  for (const [name, expected] of Object.entries(digests)) {
    it(`are states and random numbers of ${name}, as they were`, () => {
      const methods = [method(name)];
      const teacher = modelOf('resnet20');
      const weights = State.initial(evaluationGraph(teacher)).arrays();
      const found = phasesOf(methods).map((phase) => {
        const options = {
          batchSize: 4,
          seed: 3,
          methods,
          teacher: { shapes: outputShapes(teacher), network: { model: teacher, weights } },
          examples: 100,
          optimizer: sgd({ momentum: 0.9 }),
          alpha: 0.9,
          temperature: 4,
          klReduction: 'batchmean' as const,
        };
        const graph = trainingGraph(modelOf('resnet8'), options, phase);
        const hash = createHash('sha256');
        for (const key of [...graph.states.keys()].sort()) {
          hash.update(key).update(bytesOf(graph.states.get(key)!.initial()));
        }
        const feeds = graph.feeds({ seed: 3, step: 5, epoch: 1, epochs: 2, learningRate: 0.1 });
        for (const key of Object.keys(feeds).sort()) hash.update(key).update(bytesOf(feeds[key]!));
        return hash.digest('hex').slice(0, 16);
      });
      expect(found).to.deep.equal(expected);
    });
  }
});
