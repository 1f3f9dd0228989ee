import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { optimizers } from '../../../../engine/optimizers';
import { datasetNames } from '../../../../model/data';
import { augmentations } from '../../../../model/data/augmentation';
import { distillers } from '../../../../model/distillers';
import { changedKeys, netOf, parseParams, readGivenParams } from '../../../../model/experiment/params';
import { nets } from '../../../../model/nets';
import { UserError } from '../../../../utils/errors';

/** Names as messages list them. */
const listed = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');
const netNames = Object.keys(nets);

const plain = { model_version: 'cnn', learning_rate: 1e-3, num_epochs: 30 };
const distilled = { ...plain, model_version: 'cnn_distill', teacher: 'resnet18' };

const parse = (content: unknown) => parseParams(content, 'x/params.json');

/** The lines of the UserError, without the file's name. */
function linesOf(content: unknown): string[] {
  try {
    parse(content);
  } catch (error) {
    expect(error).to.be.instanceOf(UserError);
    return (error as UserError).message.split('\n').map((line) => {
      expect(line).to.match(/^x\/params\.json: /);
      return line.slice('x/params.json: '.length);
    });
  }
  return [];
}

describe('params', () => {
  it('fills every key of a plain training', () => {
    expect(parse(plain)).to.deep.equal({
      model_version: 'cnn',
      method: [{ name: 'nokd' }],
      dataset: { name: 'cifar10' },
      data_dir: 'data/cifar-10-batches-bin',
      subset_percent: 1,
      augmentation: 'yes',
      validation: 0.1,
      teacher: 'none',
      alpha: 0.9,
      temperature: 4,
      kl_reduction: 'batchmean',
      learning_rate: 0.001,
      batch_size: 128,
      num_epochs: 30,
      dropout_rate: 0,
      num_channels: 32,
      hidden_sizes: [1200, 1200],
      save_summary_steps: 100,
      checkpoint_every: '10m',
      num_workers: 4,
      optimizer: 'adam',
      momentum: 0.9,
      nesterov: false,
      weight_decay: 0,
      schedule: { type: 'step', step_size: 100, gamma: 0.2 },
      seed: 230,
      threads: 0,
    });
  });

  it('takes method, optimizer, weight decay and schedule from model_version', () => {
    const params = parse({ ...plain, model_version: 'resnet18_distill', teacher: 'wrn28_10' });
    expect(params).to.deep.include({
      method: [{ name: 'kd', weight: 1, standardize: false, focal: false }],
      optimizer: 'sgd',
      weight_decay: 5e-4,
    });
    expect(params.schedule).to.deep.equal({ type: 'step', step_size: 150, gamma: 0.1 });
    expect(params.teacher).to.deep.equal({ model: 'wrn28_10', num_channels: 32 });
    expect(netOf(params)).to.equal('resnet18');
    expect(netOf(parse(plain))).to.equal('cnn');
    expect(parse({ ...plain, optimizer: 'sgd', schedule: { type: 'constant' } })).to.deep.include({
      optimizer: 'sgd',
      schedule: { type: 'constant' },
    });
  });

  it('brings methods to a list of objects with all their options', () => {
    const method = (value: unknown) => parse({ ...distilled, method: value }).method;
    const dkd = { name: 'dkd', alpha: 1, beta: 8, warmup_epochs: 20 };
    const kd = { name: 'kd', weight: 1, standardize: false, focal: false };
    const tfkd = { name: 'tfkd', alpha: 0.1, temperature: 20, correct_probability: 0.99 };
    expect(method('nokd')).to.deep.equal([{ name: 'nokd' }]);
    expect(method('dkd')).to.deep.equal([dkd]);
    expect(method({ name: 'dkd', beta: 2 })).to.deep.equal([{ ...dkd, beta: 2 }]);
    expect(method(['kd'])).to.deep.equal([kd]);
    expect(method([{ name: 'dkd', alpha: 0.5 }, 'kd', { name: 'tfkd' }])).to.deep.equal([
      { ...dkd, alpha: 0.5 },
      kd,
      tfkd,
    ]);
  });

  it('names what is wrong with a method by the form that it has', () => {
    const lines = (method: unknown) => linesOf({ ...distilled, method });
    const names = listed(Object.keys(distillers));
    expect(lines('dkdd')).to.deep.equal([`"method" must be one of ${names}, got "dkdd"; did you mean "dkd"?`]);
    expect(lines({ name: 'fitnt', share: 1, more: 2 })).to.deep.equal([
      `"method.name" must be one of ${names}, got "fitnt"; did you mean "fitnet"?`,
    ]);
    expect(lines({})).to.deep.equal(['"method.name" is missing']);
    expect(lines({ name: 'dkd', betta: 1 })).to.deep.equal([
      '"method.betta" is not a key; did you mean "method.beta"?',
    ]);
    expect(lines({ name: 'kd', beta: 1 })).to.deep.equal(['"method.beta" is not a key']);
    expect(lines({ name: 'dkd', alpha: -1, beta: '8' })).to.deep.equal([
      '"method.alpha" must be >= 0, got -1',
      '"method.beta" must be a number, got "8"',
    ]);
    const list = '"method" must be a method or a list of some, each named once, got an array of';
    expect(lines([])).to.deep.equal([`${list} 0`]);
    expect(lines(Array(50_000).fill('nokd'))).to.include(`${list} 50000`);
    expect(lines({ name: { toString: 1 } })).to.deep.equal([`"method.name" must be one of ${names}, got an object`]);
    expect(lines(3)).to.deep.equal([`"method" must be one of ${names}, got 3`]);
    expect(lines(['foo', { name: 'dkd', temperature: 3 }, {}, {}])).to.deep.equal([
      `"method.0" must be one of ${names}, got "foo"`,
      '"method.1.temperature" is not a key',
      '"method.2.name" is missing',
      '"method.3.name" is missing',
    ]);
    expect(lines(['kd', 'tfkd', { name: 'kd' }])).to.deep.equal([
      '"method" must name each method once, got "kd" twice',
    ]);
  });

  it('may begin with the weights of a checkpoint', () => {
    const init = { checkpoint: 'a.safetensors' };
    expect(parse({ ...plain, init }).init).to.deep.equal(init);
    expect(parse(plain)).not.to.have.property('init');
    expect(linesOf({ ...plain, init: {} })).to.deep.equal(['"init.checkpoint" is missing']);
    expect(linesOf({ ...plain, init: { checkpoint: 3, chekpoint: 'a' } })).to.deep.equal([
      '"init.chekpoint" is not a key; did you mean "init.checkpoint"?',
      '"init.checkpoint" must be a string, got 3',
    ]);
    expect(linesOf({ ...plain, init: 'a.safetensors' })).to.deep.equal([
      '"init" must be an object, got "a.safetensors"',
    ]);
  });

  it('gives a net whose default schedule is constant that schedule', () => {
    expect(parse({ ...plain, model_version: 'mlp' }).schedule).to.deep.equal({ type: 'constant' });
  });

  it('leaves what it is given as it is, objects inside of it too', () => {
    const given = {
      ...plain,
      schedule: { type: 'cosine' },
      early_stopping: { patience: 3 },
      init: { checkpoint: 'a.pth' },
      dataset: { name: 'shapes' },
      teacher: { model: 'cnn' },
      method: [{ name: 'kd' }],
      augmentation: [{ name: 'crop' }],
    };
    const before = JSON.stringify(given);
    parse(given);
    expect(JSON.stringify(given)).to.equal(before);
  });

  it('fills what a schedule leaves out', () => {
    const schedule = (value: unknown) => parse({ ...plain, schedule: value }).schedule;
    for (const whole of [
      { type: 'constant' },
      { type: 'step', step_size: 1, gamma: 1 },
      { type: 'multistep', milestones: [10, 20], gamma: 0.1 },
      { type: 'cosine', warmup_epochs: 5, min_learning_rate: 0.001 },
      { type: 'plateau', metric: 'accuracy', factor: 0.5, patience: 0, threshold: 0, min_learning_rate: 1e-5 },
    ]) {
      expect(schedule(whole)).to.deep.equal(whole);
    }
    expect(schedule({ type: 'cosine' })).to.deep.equal({ type: 'cosine', warmup_epochs: 0, min_learning_rate: 0 });
    expect(schedule({ type: 'plateau' })).to.deep.equal({
      type: 'plateau',
      metric: 'loss',
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      min_learning_rate: 0,
    });
  });

  it('brings datasets to their long form', () => {
    const dataset = (value: unknown) => parse({ ...plain, dataset: value }).dataset;
    expect(dataset('cifar10')).to.deep.equal({ name: 'cifar10' });
    expect(dataset({ name: 'cifar10' })).to.deep.equal({ name: 'cifar10' });
    expect(dataset('shapes')).to.deep.equal({ name: 'shapes', train: 20000, test: 2000, seed: 0 });
    expect(dataset({ name: 'shapes', train: 256, seed: 7 })).to.deep.equal({
      name: 'shapes',
      train: 256,
      test: 2000,
      seed: 7,
    });
  });

  describe('of further data sets', () => {
    const read = (changes: object) => parseParams({ ...plain, ...changes }, 'params.json');
    const refused = (changes: object) => {
      expect(() => read(changes)).to.throw(UserError);
      try {
        read(changes);
      } catch (error) {
        return (error as UserError).message.split('\n').map((line) => line.replace('params.json: ', ''));
      }
      return [];
    };

    it('fills in options and the folder of each', () => {
      const filled = (dataset: unknown) => {
        const params = read({ dataset });
        return [params.dataset, params.data_dir];
      };
      expect(filled('cifar100')).to.deep.equal([{ name: 'cifar100', labels: 'fine' }, 'data/cifar-100-binary']);
      expect(filled('cifar10.1')).to.deep.equal([
        { name: 'cifar10.1', test_dir: 'data/cifar-10.1' },
        'data/cifar-10-batches-bin',
      ]);
      expect(filled('mnist')).to.deep.equal([{ name: 'mnist', pad: 0 }, 'data/mnist']);
      expect(filled({ name: 'fashion_mnist', pad: 2 })).to.deep.equal([
        { name: 'fashion_mnist', pad: 2 },
        'data/fashion-mnist',
      ]);
      expect(filled('stl10')).to.deep.equal([{ name: 'stl10', train: 'labeled' }, 'data/stl10_binary']);
      expect(filled({ name: 'folder', dir: 'photos', size: 64 })[0]).to.deep.equal({
        name: 'folder',
        dir: 'photos',
        size: 64,
        test: 0.2,
        seed: 0,
        on_bad_image: 'refuse',
        cache: 'data/cache',
        cache_gigabytes: 20,
      });
      expect(read({ dataset: 'mnist', data_dir: 'digits' }).data_dir).to.equal('digits');
    });

    it('name what is wrong', () => {
      expect(refused({ dataset: 'folder' })).to.deep.equal(['"dataset.dir" is missing']);
      expect(refused({ dataset: { name: 'folder', dir: 'x', size: 64, resize: 63 } })).to.deep.equal([
        '"dataset.resize" must be >= 64, got 63',
      ]);
      expect(refused({ dataset: { name: 'folder', dir: 'x', on_bad_image: 'ignore' } })).to.deep.equal([
        '"dataset.on_bad_image" must be one of "refuse", "skip", got "ignore"',
      ]);
      expect(refused({ dataset: { name: 'cifar100', labels: 'corse' } })).to.deep.equal([
        '"dataset.labels" must be one of "fine", "coarse", got "corse"; did you mean "coarse"?',
      ]);
    });

    it('have no labels to train on where the images are unlabeled', () => {
      const content = { ...distilled, method: 'unlabeled', dataset: { name: 'stl10', train: 'unlabeled' } };
      const parsed = (changes: object) => parseParams({ ...content, ...changes }, 'params.json');
      expect(parsed({ validation: 'val' }).dataset).to.deep.equal({ name: 'stl10', train: 'unlabeled' });
      expect(() => parsed({})).to.throw(UserError, '"validation" must be "val" or "test"');
      expect(() => parsed({ validation: 'val', method: ['unlabeled', 'kd'] })).to.throw(
        UserError,
        '"method" must be one of "unlabeled", "embedding" if "dataset.train" is "unlabeled", got "kd"',
      );
    });
  });

  it('accepts a teacher in full and leaves its dropout out', () => {
    const normalize = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] };
    const teacher = { model: 'cnn', checkpoint: 'a.pth.tar', normalize, num_channels: 64, dropout_rate: 0.5 };
    expect(parse({ ...distilled, teacher }).teacher).to.deep.equal({
      model: 'cnn',
      checkpoint: 'a.pth.tar',
      normalize,
      num_channels: 64,
    });
    expect(parse({ ...distilled, teacher: { model: 'cnn' } }).teacher).to.deep.equal({
      model: 'cnn',
      num_channels: 32,
    });
  });

  it('accepts teachers from ONNX files and cached logits, and fills them', () => {
    const noCrops = { ...distilled, augmentation: 'no' };
    expect(parse({ ...distilled, teacher: { onnx: 'a.onnx' } }).teacher).to.deep.equal({
      onnx: 'a.onnx',
      layout: 'NCHW',
      output: 'logits',
    });
    const normalize = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    const teacher = { onnx: 'a.onnx', layout: 'NHWC', size: 224, normalize, output: 'probabilities' };
    expect(parse({ ...distilled, teacher }).teacher).to.deep.equal(teacher);
    expect(parse({ ...noCrops, teacher: { logits: 'a.npy' } }).teacher).to.deep.equal({ logits: 'a.npy' });
  });

  it('accepts a list of teachers, each in its own form', () => {
    const teacher = [
      'wrn28_10',
      { model: 'cnn', num_channels: 8, dropout_rate: 0.5 },
      { onnx: 'a.onnx' },
      { logits: 'a.npy' },
    ];
    expect(parse({ ...distilled, augmentation: 'no', teacher }).teacher).to.deep.equal([
      { model: 'wrn28_10', num_channels: 32 },
      { model: 'cnn', num_channels: 8 },
      { onnx: 'a.onnx', layout: 'NCHW', output: 'logits' },
      { logits: 'a.npy' },
    ]);
    expect(parse({ ...distilled, teacher: ['wrn28_10'] }).teacher).to.deep.equal([
      { model: 'wrn28_10', num_channels: 32 },
    ]);
  });

  it('says which weights of a file are meant, for a teacher and for the beginning, and what the student is fed', () => {
    const which = { key: 'model_ema', rename: { shortcut: 'downsample', extra: '' }, skip: ['fc'] };
    const teacher = { model: 'wrn28_10', checkpoint: 'a.pth', ...which, size: 64, num_channels: 32 };
    expect(parse({ ...distilled, teacher }).teacher).to.deep.equal(teacher);
    const init = { checkpoint: 'a.pth', ...which };
    const normalize = { mean: [0.5], std: [0.5] };
    expect(parse({ ...plain, init, normalize })).to.deep.include({ init, normalize });
    expect(parse(plain)).not.to.have.property('normalize');
    expect(linesOf({ ...plain, init: { checkpoint: 'a', key: '', rename: {}, skip: [] } })).to.deep.equal([
      '"init.skip" must be an array of 1 to 200 globs such as "layer*", got an array of 0',
      '"init.key" must be a key such as "model_ema", of 1 to 200 characters, got ""',
      '"init.rename" must be an object such as {"shortcut": "downsample"}, of 1 to 200 parts of names, got an object',
    ]);
    expect(linesOf({ ...distilled, teacher: { model: 'wrn28_10', size: 0, rename: { a: 1 } } })).to.deep.equal([
      '"teacher.rename.a" must be a string, got 1',
      '"teacher.size" must be >= 1, got 0',
    ]);
    expect(linesOf({ ...plain, normalize: { mean: [0.5], std: [0] } })).to.deep.equal([
      '"normalize.std.0" must be > 0, got 0',
    ]);
  });

  it('names what is wrong with a teacher by the form that it has', () => {
    const lines = (teacher: unknown) => linesOf({ ...distilled, augmentation: 'no', teacher });
    const forms = '"teacher" must be an object with one of the keys "model", "onnx", "logits", got an object';
    expect(lines({})).to.deep.equal([forms]);
    expect(lines({ checkpoint: 'a.pt' })).to.deep.equal([forms]);
    expect(lines({ model: 'cnn', onnx: 'a.onnx' })).to.deep.equal([forms]);
    expect(lines({ onnx: 'a.onnx', layout: 'nchw' })).to.deep.equal([
      '"teacher.layout" must be one of "NCHW", "NHWC", "NHW", "N(CHW)", "N(HWC)", got "nchw"',
    ]);
    expect(lines({ onnx: 'a.onnx', channels: 'bgr', range: 3, output_name: '', classes: {} })).to.deep.equal([
      '"teacher.channels" must be one of "RGB", "BGR", "gray", got "bgr"',
      '"teacher.range" must be one of 1, 255, got 3',
      '"teacher.output_name" must be the name of an output, got ""',
      '"teacher.classes" must be an array with a column for each class, from 0, or a file with the names of all columns, got an object',
    ]);
    expect(lines({ onnx: 'a.onnx', classes: [1, -1, 'cat'] })).to.deep.equal([
      '"teacher.classes.1" must be a column, an integer from 0, got -1',
      '"teacher.classes.2" must be a column, an integer from 0, got "cat"',
    ]);
    expect(lines([{ onnx: 'a.onnx', classes: 'names.txt' }, 'cnn'])).to.deep.equal([]);
    expect(lines({ onnx: 3, size: 0, output: 'softmax' })).to.deep.equal([
      '"teacher.onnx" must be a string, got 3',
      '"teacher.size" must be >= 1, got 0',
      '"teacher.output" must be one of "logits", "probabilities", "embedding", got "softmax"',
    ]);
    expect(lines({ onnx: 'a.onnx', num_channels: 3 })).to.deep.equal(['"teacher.num_channels" is not a key']);
    expect(lines({ logits: 'a.npy', normalize: {} })).to.deep.equal(['"teacher.normalize" is not a key']);
    const list = '"teacher" must be a list of 1 to 32 teachers, got an array of';
    expect(lines([])).to.deep.equal([`${list} 0`]);
    expect(lines(Array(50_000).fill('cnn'))).to.deep.equal([`${list} 50000`]);
    expect(lines(['cnn', 'resnet81', { logits: 'a.npy', size: 3 }, ['cnn'], 'none'])).to.deep.equal([
      `"teacher.1" must be one of ${listed(netNames)}, got "resnet81"; did you mean "resnet18"?`,
      '"teacher.2.size" is not a key',
      `"teacher.3" must be one of ${listed(netNames)}, got an array of 1`,
      `"teacher.4" must be one of ${listed(netNames)}, got "none"`,
    ]);
  });

  describe('trackers', () => {
    const of = (trackers: unknown) => parse({ ...plain, trackers }).trackers;
    const lines = (trackers: unknown) => linesOf({ ...plain, trackers });

    it('are names or objects with options, or none', () => {
      expect(parse(plain)).not.to.have.property('trackers');
      expect(of([])).to.deep.equal([]);
      expect(of(['tensorboard', 'mlflow'])).to.deep.equal([
        { name: 'tensorboard' },
        { name: 'mlflow', directory: 'mlruns' },
      ]);
      expect(of([{ name: 'mlflow', directory: 'a/b' }])).to.deep.equal([{ name: 'mlflow', directory: 'a/b' }]);
    });

    it('are refused where they are anything else', () => {
      for (const value of ['mlflow', 3, {}]) {
        expect(lines(value)[0]).to.match(/^"trackers" must be \["tensorboard"\], \["mlflow"\], both or \[\], got /);
      }
      expect(lines(['mlfow'])).to.deep.equal([
        '"trackers.0" must be one of "tensorboard", "mlflow", got "mlfow"; did you mean "mlflow"?',
      ]);
      expect(lines([{ name: 'tensorboard', directory: 'x' }])[0]).to.match(/^"trackers\.0\.directory" is not a key/);
      for (const directory of ['http://127.0.0.1:5000', 'file:///tmp/mlruns', 'sqlite:///mlflow.db', 'a\0b', '']) {
        expect(lines([{ name: 'mlflow', directory }])[0]).to.match(
          /^"trackers\.0\.directory" must be the path of a directory, not a URI, got "/,
        );
      }
      expect(lines([{ name: 'mlflow', directory: 'C:/mlruns' }])).to.deep.equal([]);
      expect(lines(['mlflow', { name: 'mlflow', directory: 'x' }])).to.deep.equal([
        '"trackers" must name each tracker once, got "mlflow" twice',
      ]);
    });
  });

  describe('augmentation', () => {
    const of = (augmentation: unknown) => parse({ ...plain, augmentation }).augmentation;
    const lines = (augmentation: unknown, changes: object = {}) => linesOf({ ...plain, ...changes, augmentation });

    it('is crop and flip, nothing, or a list in which each has its options filled', () => {
      expect(parse(plain).augmentation).to.equal('yes');
      expect(of('no')).to.equal('no');
      const given = ['crop', { name: 'cutout', length: 8 }, { name: 'mixup' }];
      expect(of(given)).to.deep.equal([{ name: 'crop' }, { name: 'cutout', length: 8 }, { name: 'mixup', alpha: 1 }]);
      expect(given[2]).to.deep.equal({ name: 'mixup' });
    });

    it('names what is wrong in a line each', () => {
      expect(lines('maybe')).to.deep.equal(['"augmentation" must be one of "yes", "no", got "maybe"']);
      expect(lines(3)).to.deep.equal(['"augmentation" must be one of "yes", "no", got 3']);
      const form = '"augmentation" must be "yes", "no" or a list of augmentations, each named once';
      expect(lines([])).to.deep.equal([`${form}, got an array of 0`]);
      const names = listed(Object.keys(augmentations));
      expect(lines(['crops'])).to.deep.equal([
        `"augmentation.0" must be one of ${names}, got "crops"; did you mean "crop"?`,
      ]);
      expect(lines([{ name: 'cutout', lenght: 3 }])).to.deep.equal([
        '"augmentation.0.lenght" is not a key; did you mean "augmentation.0.length"?',
      ]);
      expect(lines(['crop', { name: 'cutout', length: 1 }])).to.deep.equal([
        '"augmentation.1.length" must be >= 2, got 1',
      ]);
      expect(lines(['crop', 'mixup', 'crop'])).to.deep.equal([
        '"augmentation" must name each augmentation once, got "crop" twice',
      ]);
      expect(lines(['mixup', 'crop', 'cutmix'])).to.deep.equal([
        '"augmentation" must have at most one augmentation that mixes images, got "mixup" and "cutmix"',
      ]);
    });

    it('does not mix images, nor are logits cached, where a method looks at further views', () => {
      const viewing = { ...distilled, method: 'uda' };
      expect(lines(['mixup'], viewing)).to.deep.equal([
        '"augmentation" must not mix images if "method" is "uda": its views show one image each',
      ]);
      expect(lines('no', { ...viewing, teacher: { logits: 'a.npy' } })).to.deep.equal([
        '"teacher" must not have cached logits if "method" is "uda", which shows it other views',
      ]);
      expect(parse({ ...viewing, augmentation: ['crop'] }).augmentation).to.deep.equal([{ name: 'crop' }]);
    });

    it('is off where logits are cached, in whichever form', () => {
      const cached = { ...distilled, teacher: { logits: 'a.npy' } };
      expect(lines(['crop'], cached)).to.deep.equal([
        '"augmentation" must be "no" if "teacher" has cached logits, which do not follow a crop or a flip, got an array of 1',
      ]);
    });
  });

  it('refuses to crop and flip the images behind cached logits', () => {
    const cached = { logits: 'a.npy' };
    const reason = '"teacher" has cached logits, which do not follow a crop or a flip';
    for (const teacher of [cached, ['wrn28_10', cached]]) {
      expect(linesOf({ ...distilled, teacher })).to.deep.equal([`"augmentation" must be "no" if ${reason}, got "yes"`]);
    }
    expect(parse({ ...plain, teacher: cached }).method).to.deep.equal([{ name: 'nokd' }]);
  });

  it('leaves what it was given as it was', () => {
    const teacher = { model: 'wrn28_10', dropout_rate: 0.3 };
    const method = [{ name: 'dkd' }, 'kd'];
    for (const form of [teacher, [teacher, { onnx: 'a.onnx' }]]) {
      const content = { ...distilled, teacher: form, method, dataset: { name: 'shapes' } };
      const before = structuredClone(content);
      parse(content);
      expect(content).to.deep.equal(before);
    }
  });

  describe('a range', () => {
    const cases: [string, unknown[], [unknown, string][]][] = [
      [
        'subset_percent',
        [1e-9, 1],
        [
          [0, 'must be > 0'],
          [1.01, 'must be <= 1'],
        ],
      ],
      [
        'alpha',
        [0, 1],
        [
          [-0.1, 'must be >= 0'],
          [1.5, 'must be <= 1'],
        ],
      ],
      ['temperature', [0.01, 1000], [[0, 'must be > 0']]],
      [
        'learning_rate',
        [1e-9, 10],
        [
          [0, 'must be > 0'],
          [-1, 'must be > 0'],
          ['0.1', 'must be a number'],
        ],
      ],
      [
        'batch_size',
        [1, 128.0],
        [
          [0, 'must be >= 1'],
          [1.5, 'must be an integer'],
          [null, 'must be an integer'],
        ],
      ],
      ['num_epochs', [1], [[0, 'must be >= 1']]],
      [
        'dropout_rate',
        [0, 0.99],
        [
          [1, 'must be < 1'],
          [-0.1, 'must be >= 0'],
        ],
      ],
      ['num_channels', [1], [[0, 'must be >= 1']]],
      ['save_summary_steps', [1], [[0, 'must be >= 1']]],
      [
        'checkpoint_every',
        ['0s', '30s', '1h30m'],
        ['', '10', '10 m', '1m1h', 600].map((value) => [
          value,
          'must be a length of time such as "30s", "10m" or "1h30m"',
        ]),
      ],
      ['num_workers', [0], [[-1, 'must be >= 0']]],
      ['momentum', [0, 0.99], [[1, 'must be < 1']]],
      ['weight_decay', [0, 2], [[-1e-4, 'must be >= 0']]],
      [
        'seed',
        [0, 2 ** 32 - 1],
        [
          [2 ** 32, 'must be <= 4294967295'],
          [-1, 'must be >= 0'],
          [0.5, 'must be an integer'],
        ],
      ],
      [
        'threads',
        [0, 64],
        [
          [-1, 'must be >= 0'],
          [Infinity, 'must be an integer'],
        ],
      ],
      [
        'nesterov',
        [true, false],
        [
          [1, 'must be true or false'],
          ['true', 'must be true or false'],
        ],
      ],
      [
        'augmentation',
        ['yes', 'no'],
        [
          ['maybe', 'must be one of "yes", "no"'],
          [true, 'must be one of "yes", "no"'],
        ],
      ],
      ['kl_reduction', ['batchmean', 'mean'], [['sum', 'must be one of "batchmean", "mean"']]],
      ['optimizer', ['adam', 'sgd'], [['rmsprop', `must be one of ${listed(Object.keys(optimizers))}`]]],
      ['data_dir', ['/data'], [[3, 'must be a string']]],
    ];
    for (const [key, accepted, refused] of cases) {
      it(`of "${key}" includes its bounds and nothing beyond them`, () => {
        for (const value of accepted) expect(parse({ ...plain, [key]: value })).to.have.property(key, value);
        for (const [value, complaint] of refused) {
          const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
          expect(linesOf({ ...plain, [key]: value })).to.deep.equal([`"${key}" ${complaint}, got ${shown}`]);
        }
      });
    }
  });

  it('accepts hidden layers of any number and size', () => {
    expect(parse({ ...plain, hidden_sizes: [30, 1] }).hidden_sizes).to.deep.equal([30, 1]);
    const teacher = { model: 'wrn28_10', hidden_sizes: [800] };
    expect(parse({ ...distilled, teacher }).teacher).to.deep.equal({ ...teacher, num_channels: 32 });
    const array = '"hidden_sizes" must be an array of up to 100 integers from 1 to 65536, got';
    expect(linesOf({ ...plain, hidden_sizes: [] })).to.deep.equal([`${array} an array of 0`]);
    expect(linesOf({ ...plain, hidden_sizes: 1200 })).to.deep.equal([`${array} 1200`]);
    expect(linesOf({ ...plain, hidden_sizes: [1, 0] })).to.deep.equal([
      '"hidden_sizes.1" must be an integer from 1 to 65536, got 0',
    ]);
  });

  it('holds out a part for validation, or uses the test set', () => {
    for (const value of [0.001, 0.999, 'val', 'test'])
      expect(parse({ ...plain, validation: value }).validation).to.equal(value);
    const accepted = '"validation" must be "val", "test" or a number between 0 and 1, both excluded';
    for (const value of [0, 1, -1, true, null]) {
      expect(linesOf({ ...plain, validation: value })).to.deep.equal([`${accepted}, got ${value}`]);
    }
    expect(linesOf({ ...plain, validation: 'tset' })).to.deep.equal([`${accepted}, got "tset"; did you mean "test"?`]);
  });

  it('names all mistakes at once, each with what was probably meant', () => {
    const { learning_rate, ...rest } = distilled;
    expect(linesOf({ ...rest, learning_rte: learning_rate, model_version: 'cmm_distill', alpha: 1.5 })).to.have.members(
      [
        '"learning_rate" is missing',
        '"learning_rte" is not a key; did you mean "learning_rate"?',
        `"model_version" must be one of ${listed(netNames.flatMap((name) => [name, `${name}_distill`]))}, ` +
          'got "cmm_distill"; did you mean "cnn_distill"?',
        '"alpha" must be <= 1, got 1.5',
      ],
    );
    expect(linesOf({})).to.deep.equal([
      '"model_version" is missing',
      '"learning_rate" is missing',
      '"num_epochs" is missing',
    ]);
  });

  it('names mistakes inside of objects by their path', () => {
    const lines = (change: object) => linesOf({ ...distilled, ...change });
    expect(lines({ teacher: { model: 'cnn', checkpont: 'x' } })).to.deep.equal([
      '"teacher.checkpont" is not a key; did you mean "teacher.checkpoint"?',
    ]);
    expect(lines({ teacher: 'resnet81' })[0]).to.match(
      /^"teacher" must be one of "none", .*; did you mean "resnet18"\?$/,
    );
    expect(lines({ teacher: { model: 'cnn', dropout_rate: 'high' } })).to.deep.equal([
      '"teacher.dropout_rate" must be a number, got "high"',
    ]);
    for (const values of [[0.5], [0.5, 0.4, 0.3]]) {
      expect(lines({ teacher: { model: 'cnn', normalize: { mean: values, std: values } } })).to.deep.equal([]);
    }
    expect(lines({ teacher: { model: 'cnn', normalize: { mean: [], std: [1, 0, 1] } } })).to.deep.equal([
      '"teacher.normalize.mean" must be an array of 1 or 3 numbers, one for each channel of the images, got an array of 0',
      '"teacher.normalize.std.1" must be > 0, got 0',
    ]);
    expect(lines({ dataset: { name: 'cifar10', train: 5 } })).to.deep.equal(['"dataset.train" is not a key']);
    expect(lines({ dataset: { name: 'shaps', train: 5 } })).to.deep.equal([
      `"dataset.name" must be one of ${listed(datasetNames)}, got "shaps"; did you mean "shapes"?`,
    ]);
    expect(lines({ dataset: { name: 'shapes', train: 0 } })).to.deep.equal(['"dataset.train" must be >= 1, got 0']);
    expect(lines({ schedule: { type: 'step', step_size: 10, gamma: 2 } })).to.deep.equal([
      '"schedule.gamma" must be <= 1, got 2',
    ]);
    expect(lines({ schedule: { type: 'step' } })).to.deep.equal([
      '"schedule.step_size" is missing',
      '"schedule.gamma" is missing',
    ]);
    expect(lines({ schedule: { type: 'cosines', gamma: 1 } })).to.deep.equal([
      '"schedule.gamma" is not a key',
      '"schedule.type" must be one of "step", "multistep", "cosine", "plateau", "constant", got "cosines"; ' +
        'did you mean "cosine"?',
    ]);
    expect(lines({ schedule: { type: 'constant', gamma: 1 } })).to.deep.equal(['"schedule.gamma" is not a key']);
    expect(lines({ schedule: { type: 'multistep', milestones: [3, 0] } })).to.deep.equal([
      '"schedule.gamma" is missing',
      '"schedule.milestones.1" must be an integer from 1, got 0',
    ]);
    expect(lines({ schedule: { type: 'cosine', warmup_epochs: -1, min_learning_rate: 0.0011 } })).to.deep.equal([
      '"schedule.warmup_epochs" must be >= 0, got -1',
      '"schedule.min_learning_rate" must be <= 0.001, got 0.0011',
    ]);
    expect(
      lines({ schedule: { type: 'plateau', metric: 'los', factor: 1, patience: 0.5, threshold: 1 } }),
    ).to.deep.equal([
      '"schedule.metric" must be one of "loss", "accuracy", got "los"; did you mean "loss"?',
      '"schedule.factor" must be < 1, got 1',
      '"schedule.patience" must be an integer, got 0.5',
      '"schedule.threshold" must be < 1, got 1',
    ]);
    expect(lines({ schedule: null })).to.deep.equal(['"schedule" must be an object, got null']);
  });

  it('asks for a teacher wherever a method needs one', () => {
    const orphan = { ...plain, model_version: 'cnn_distill' };
    for (const content of [orphan, { ...orphan, teacher: 'none' }]) {
      expect(linesOf(content)).to.deep.equal(['"teacher" must name a teacher if "method" is "kd", got "none"']);
    }
    expect(linesOf({ ...plain, method: ['tfkd', 'nokd', { name: 'dkd' }] })).to.deep.equal([
      '"teacher" must name a teacher if "method" is "dkd", got "none"',
    ]);
    expect(parse({ ...plain, method: ['tfkd', 'nokd'] }).teacher).to.equal('none');
    expect(parse({ ...plain, teacher: 'resnet18' }).method).to.deep.equal([{ name: 'nokd' }]);
  });

  it('accepts what is particular to the training step, and leaves it out where the file does', () => {
    const given = {
      init: { checkpoint: 'a.pth', skip: ['fc'] },
      freeze: ['conv1', 'layer*'],
      freeze_batch_norm: 'train',
      learning_rates: { 'fc*': 0.01 },
      class_weights: [1, 2.5],
      label_smoothing: 0.1,
      label_noise: 1,
      sampling: 'balanced',
      accumulate: 4,
      clip_norm: 5,
      ema: 0.999,
      early_stopping: { patience: 3 },
    };
    expect(parse({ ...plain, ...given })).to.deep.include({ ...given, early_stopping: { patience: 3, min_delta: 0 } });
    expect(parse({ ...plain, class_weights: 'balanced' }).class_weights).to.equal('balanced');
    expect(parse(plain)).not.to.have.any.keys(Object.keys(given));
  });

  it('names what is wrong with it', () => {
    const wrong = {
      init: { checkpoint: 'a.pth', skip: 'fc' },
      freeze: [''],
      learning_rates: { 'fc*': 0 },
      class_weights: 'equal',
      label_smoothing: 1,
      label_noise: -0.1,
      sampling: 'even',
      accumulate: 0,
      clip_norm: 0,
      ema: 1,
      early_stopping: { patience: 0 },
    };
    expect(linesOf({ ...plain, ...wrong })).to.have.members([
      '"init.skip" must be an array of 1 to 200 globs such as "layer*", got "fc"',
      '"freeze.0" must be a glob such as "layer*", of 1 to 200 characters, got ""',
      '"learning_rates.fc*" must be > 0, got 0',
      '"class_weights" must be "balanced" or an array with a number above 0 for each class, got "equal"',
      '"label_smoothing" must be < 1, got 1',
      '"label_noise" must be >= 0, got -0.1',
      '"sampling" must be one of "shuffled", "balanced", got "even"',
      '"accumulate" must be >= 1, got 0',
      '"clip_norm" must be > 0, got 0',
      '"ema" must be < 1, got 1',
      '"early_stopping.patience" must be >= 1, got 0',
    ]);
    expect(linesOf({ ...plain, freeze_batch_norm: 'eval' })).to.deep.equal([
      '"freeze_batch_norm" is given, but "freeze" is missing',
    ]);
  });

  it('refuses wrong values for a teacher in int8, and int8 for logits that were cached', () => {
    const int8 = { ...distilled, teacher_precision: 'int8', teacher_agreement: 0.9 };
    expect(linesOf(int8)).to.deep.equal([]);
    expect(linesOf({ ...int8, teacher_agreement: 98 })).to.deep.equal(['"teacher_agreement" must be <= 1, got 98']);
    expect(linesOf({ ...distilled, teacher_precision: 'float64' })).to.deep.equal([
      '"teacher_precision" must be one of "float32", "int8", got "float64"; did you mean "float32"?',
    ]);
    const alone = '"teacher_agreement" is given, but "teacher_precision" is not "int8"';
    expect(linesOf({ ...int8, teacher_precision: 'float32' })).to.deep.equal([alone]);
    expect(linesOf({ ...distilled, teacher_agreement: 0.9 })).to.deep.equal([alone]);
    expect(linesOf({ ...int8, teacher: { logits: 'a.npy' }, augmentation: 'no' })).to.deep.equal([
      '"teacher_precision" must be "float32" if "teacher" has cached logits, got "int8"',
    ]);
  });

  it('takes no key from the prototype and puts none there', () => {
    const hostile = JSON.parse(
      '{"__proto__": {"alpha": 0.5}, "constructor": 1, "toString": 2, "model_version": {"toString": 1}, ' +
        '"learning_rate": 1, "num_epochs": 1}',
    ) as unknown;
    const lines = linesOf(hostile);
    expect(lines.slice(0, 3)).to.deep.equal(
      ['__proto__', 'constructor', 'toString'].map((key) => `"${key}" is not a key`),
    );
    expect(lines[3]).to.match(/^"model_version" must be one of .*, got an object$/);
    expect(lines).to.have.lengthOf(4);
    expect(({} as { alpha?: number }).alpha).to.equal(undefined);
    expect(linesOf({ ...plain, model_version: 'constructor' })).to.have.lengthOf(1);
    expect(linesOf({ ...plain, teacher: 'constructor' })).to.have.lengthOf(1);
  });

  it('accepts only an object', () => {
    expect(linesOf([plain])).to.deep.equal(['must be an object, got an array of 1']);
    expect(linesOf(null)).to.deep.equal(['must be an object, got null']);
    expect(linesOf('cnn')).to.deep.equal(['must be an object, got "cnn"']);
  });

  it('answers every JSON value with params that it accepts again, or with clear lines', () => {
    const clear =
      /^(must be an object, got .+|".*" (is missing|is not a key|must (be|name|not have) .+(, got .+)?)(; did you mean ".+"\?)?|and \d+ more)$/;
    const check = (content: unknown) => {
      let params;
      try {
        params = parse(content);
      } catch {
        for (const line of linesOf(content)) expect(line).to.match(clear);
        return;
      }
      expect(parse(params)).to.deep.equal(params);
    };
    fc.assert(fc.property(fc.jsonValue(), check));
    const of = <T>(...likely: fc.Arbitrary<T>[]) => fc.oneof(...likely, fc.jsonValue());
    const name = of(
      fc.constantFrom('cnn', 'cnn_distill', 'resnet18', 'none', 'shapes', 'step', 'constant', 'test', 'kd'),
    );
    const nested = fc.dictionary(
      fc.constantFrom(
        'model',
        'onnx',
        'logits',
        'name',
        'train',
        'type',
        'step_size',
        'gamma',
        'normalize',
        'mean',
        'std',
        '__proto__',
        'x',
      ),
      of(
        name,
        fc.double({ min: 0, max: 1 }),
        fc.record({ mean: fc.jsonValue(), std: fc.array(fc.integer({ max: 2 })) }),
      ),
    );
    const value = of<unknown>(
      name,
      nested,
      fc.array(of<unknown>(name, nested)),
      fc.integer({ min: -1, max: 3 }),
      fc.double({ min: 0, max: 1 }),
    );
    const key = fc.oneof(fc.constantFrom(...Object.keys(parse(plain)), '__proto__', 'toString'), fc.string());
    const changes = fc.dictionary(key, value, { maxKeys: 4 });
    fc.assert(fc.property(changes, (change) => check({ ...distilled, ...change })));
  });

  it('survives values that are nested deeper than the stack', () => {
    const deep = JSON.parse(`${'['.repeat(50000)}${']'.repeat(50000)}`) as unknown;
    expect(linesOf({ ...plain, alpha: deep, dataset: deep })).to.deep.equal([
      `"dataset" must be one of ${listed(datasetNames)}, got an array of 1`,
      '"alpha" must be a number, got an array of 1',
    ]);
  });
});

describe('params.json of the published experiments', () => {
  const shared = { batch_size: 128, num_channels: 32, save_summary_steps: 100, num_workers: 4 };
  const small = { ...shared, learning_rate: 1e-3, num_epochs: 30, dropout_rate: 0.5 };
  const large = { ...shared, learning_rate: 0.1, num_epochs: 200, dropout_rate: 0.5 };
  const full = { subset_percent: 1.0, augmentation: 'yes' };
  const baseline = { alpha: 0.0, temperature: 1 };

  it('accepts the experiments that were written by hand', () => {
    const experiments = [
      { ...small, ...baseline, model_version: 'cnn', subset_percent: 1.0, augmentation: 'no', teacher: 'none' },
      { ...small, ...full, ...baseline, model_version: 'cnn', teacher: 'resnet18', dropout_rate: 0.0 },
      { ...small, ...full, ...baseline, model_version: 'cnn', teacher: 'none', subset_percent: 0.05, num_epochs: 50 },
      { ...large, ...full, ...baseline, model_version: 'resnet18', teacher: 'none' },
      { ...large, model_version: 'wrn' },
      { ...small, ...full, model_version: 'cnn_distill', teacher: 'resnet18', alpha: 0.9, temperature: 20 },
      { ...small, model_version: 'cnn_distill', augmentation: 'no', teacher: 'resnet18', alpha: 0.9, temperature: 20 },
      ...['wrn', 'preresnet110', 'resnext29', 'densenet'].map((teacher, i) => ({
        ...large,
        ...full,
        model_version: 'resnet18_distill',
        teacher,
        alpha: 0.95,
        temperature: 6,
        dropout_rate: 0.0,
        num_epochs: [170, 170, 175, 200][i],
      })),
    ];
    for (const experiment of experiments) {
      const { teacher, ...given } = experiment as typeof experiment & { teacher?: string };
      const params = parse(experiment);
      const current = (name: string) => ({ wrn: 'wrn28_10', densenet: 'densenet100' })[name] ?? name;
      expect(params).to.include({ ...given, model_version: current(given.model_version) });
      const expected =
        teacher === undefined || teacher === 'none' ? 'none' : { model: current(teacher), num_channels: 32 };
      expect(params.teacher).to.deep.equal(expected);
    }
  });

  it('accepts the children of its searches, which lack augmentation or the subset', () => {
    const child = { ...small, model_version: 'cnn_distill', teacher: 'resnet18' };
    const grids: [object, number[], number[]][] = [
      [child, [0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.999], [2, 5, 10, 20, 30]],
      [
        { ...child, subset_percent: 1.0, dropout_rate: 0.0 },
        [0.05, 0.1, 0.5, 0.95, 0.99],
        [1.5, 2, 3, 4.5, 6, 8, 10, 20],
      ],
      [
        { ...child, subset_percent: 0.05, dropout_rate: 0.0, num_epochs: 50 },
        [0.01, 0.1, 0.5, 0.95, 0.999],
        [1, 2, 3, 4.5, 6, 8, 10, 20, 40],
      ],
    ];
    for (const [base, alphas, temperatures] of grids) {
      for (const alpha of alphas) {
        for (const temperature of temperatures) {
          const params = parse({ ...base, alpha, temperature });
          expect(params).to.deep.include({
            alpha,
            temperature,
            augmentation: 'yes',
            method: [{ name: 'kd', weight: 1, standardize: false, focal: false }],
          });
          expect(params.subset_percent).to.equal((base as { subset_percent?: number }).subset_percent ?? 1);
        }
      }
    }
  });
});

describe('readGivenParams', () => {
  const read = (path: string) => parseParams(readGivenParams(path), path);
  let directory: string;
  before(() => (directory = mkdtempSync(join(tmpdir(), 'params-'))));
  after(() => rmSync(directory, { recursive: true }));

  it('reads a file', () => {
    const path = join(directory, 'params.json');
    writeFileSync(path, JSON.stringify(plain));
    expect(read(path)).to.deep.equal(parse(plain));
  });

  it('names the file in each mistake', () => {
    mkdirSync(join(directory, 'wrong'));
    const path = join(directory, 'wrong', 'params.json');
    writeFileSync(path, '{"model_version": "cnn", "learning_rate": 1, "num_epochs": 1e400, "alpha": 2}');
    expect(() => read(path)).to.throw(
      UserError,
      `${path}: "alpha" must be <= 1, got 2\n${path}: "num_epochs" must be an integer, got Infinity`,
    );
    writeFileSync(path, '{"model_version": ');
    expect(() => read(path)).to.throw(UserError, `${path}: not valid JSON`);
  });

  it('tells a missing directory from a missing file', () => {
    const missing = join(directory, 'missing');
    expect(() => readGivenParams(join(missing, 'params.json'))).to.throw(UserError, `${missing}: no such directory`);
    mkdirSync(join(directory, 'empty'));
    const path = join(directory, 'empty', 'params.json');
    expect(() => read(path)).to.throw(UserError, `${path}: no such file; write one, for example {`);
  });
});

describe('changedKeys', () => {
  it('is empty for equal params, however they were written', () => {
    expect(
      changedKeys(parse(distilled), parse({ ...distilled, teacher: { model: 'resnet18' }, seed: 230 })),
    ).to.deep.equal([]);
  });

  it('names what differs, sorted and by path', () => {
    const before = parse({ ...distilled, schedule: { type: 'step', step_size: 10, gamma: 0.5 } });
    const after = parse({ ...distilled, seed: 1, alpha: 0.5, schedule: { type: 'step', step_size: 10, gamma: 0.1 } });
    expect(changedKeys(before, after)).to.deep.equal(['alpha', 'schedule.gamma', 'seed']);
    const constant = parse({ ...distilled, schedule: { type: 'constant' } });
    expect(changedKeys(before, constant)).to.deep.equal(['schedule.gamma', 'schedule.step_size', 'schedule.type']);
  });

  it('sees one number of an array, and an object in place of a word', () => {
    const teacher = (std: number) => ({ model: 'wrn28_10', normalize: { mean: [0, 0, 0], std: [1, std, 1] } });
    const before = parse({ ...distilled, teacher: teacher(1) });
    expect(changedKeys(before, parse({ ...distilled, teacher: teacher(2) }))).to.deep.equal([
      'teacher.normalize.std.1',
    ]);
    expect(changedKeys(before, parse({ ...before, method: 'nokd', teacher: 'none' }))).to.deep.equal([
      'method.0.focal',
      'method.0.name',
      'method.0.standardize',
      'method.0.weight',
      'teacher',
    ]);
  });
});
