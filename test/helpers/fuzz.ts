/** What reads files of others, each with the mutants that it is tried on, and the promise that all of them keep. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import sharp from 'sharp';
import { inspection } from '../../commands/inspect';
import { gradients } from '../../engine/autodiff';
import { Graph } from '../../engine/graph';
import { adapt } from '../../engine/onnx/adapt';
import { readModel } from '../../engine/onnx/read';
import { ForeignNetwork } from '../../engine/onnx/trainable/network';
import { readOnnxWeights } from '../../engine/onnx/weights';
import { mean } from '../../engine/ops/index';
import { parseWeights } from '../../formats/checkpoints';
import { ndarray } from '../../formats/ndarray';
import { readNpy } from '../../formats/npy';
import { parseSafetensors } from '../../formats/safetensors';
import { fittingNames } from '../../formats/weight_names';
import { loadDataset } from '../../model/data';
import { decode, failure } from '../../model/data/images/image_file';
import { loadCifar10 } from '../../model/data/sets/cifar10';
import { loadCifar101 } from '../../model/data/sets/cifar10_1';
import { loadCifar100 } from '../../model/data/sets/cifar100';
import { loadMnist } from '../../model/data/sets/mnist';
import { loadNpz } from '../../model/data/sets/npz';
import { loadParquet } from '../../model/data/sets/parquet';
import { loadStl10 } from '../../model/data/sets/stl10';
import { loadSvhn } from '../../model/data/sets/svhn';
import { loadWebDataset } from '../../model/data/sets/webdataset';
import { compareRuns, comparisonInWords } from '../../model/experiment/compare';
import { planRepetition } from '../../model/experiment/reproduce';
import { plannedRuns } from '../../model/experiment/stages';
import { Layers } from '../../model/nets/layers';
import { netOfOnnx } from '../../model/nets/onnx_net';
import { digestOf, KeptOutputs } from '../../model/teachers/kept_outputs';
import { collectRuns } from '../../report/collect/collect';
import { pageData } from '../../report/page/data';
import { jsonText } from '../../report/page/html';
import { rowsOf } from '../../report/table/rows';
import { makeTable } from '../../report/table/table';
import { toCsv } from '../../report/writers/csv';
import { toJson } from '../../report/writers/json';
import { toMarkdown } from '../../report/writers/markdown';
import { toTerminal } from '../../report/writers/terminal';
import { acquireLock, lockHolder, lockState } from '../../runs/lock';
import { readPredictions, readTeacherPredictions } from '../../runs/predictions';
import { RunDirectory } from '../../runs/run_directory';
import { readTestImages } from '../../runs/test_images';
import { readJournal } from '../../search/journal';
import { settingsChanges } from '../../search/settings/changes';
import { parseSettings, readSettings } from '../../search/settings/settings';
import { curveOf, lastWords, prepareChild, scoreOf } from '../../search/trials/child';
import { childParams } from '../../search/trials/child_params';
import { Proposals } from '../../search/trials/proposals';
import { stateOf, trialsOf, valueOf } from '../../search/trials/trials';
import { UserError } from '../../utils/errors';
import { matches } from '../../utils/glob';
import { formatMetrics } from '../../utils/logger';
import { SharedCache } from '../../utils/shared_cache';
import { fakeRecords } from '../model/data/fakeCifar10';
import {
  fakeCifar100Records,
  idx,
  mat,
  npy,
  npzArrays,
  samples,
  svhn,
  tar,
  writeFakeCifar100,
  writeFakeCifar101,
  writeFakeEmnist,
  writeFakeMnist,
  writeFakeQmnist,
  writeFakeSvhn,
  zip,
} from '../model/data/fakes';
import { jsonMutants, lineMutants, mutants } from './mutants';
import { onnxTeachers } from './onnx_teachers';
import { finished, writeHits, writeRun, writeSeen } from './runs';

interface Target {
  readonly inputs: fc.Arbitrary<string | Uint8Array>;
  /** Reads one. Whatever it throws but a UserError is a bug. */
  readonly read: (input: string | Uint8Array) => unknown;
}

/** Makes a target whose files lie in an empty folder. */
export type MakeTarget = (folder: string) => Target | Promise<Target>;

/** The readers by what they read. */
export const targets: Readonly<Record<string, MakeTarget>> = {
  'params.json': (folder) => ({
    inputs: jsonMutants(experiments),
    read: inFile(folder, 'params.json', () => {
      for (const { directory } of plannedRuns(folder)) expectWithin(folder, directory);
    }),
  }),

  'search.json': (folder) => ({
    inputs: jsonMutants(searches),
    read: inFile(folder, 'search.json', (path) => {
      const settings = readSettings(path);
      const proposals = new Proposals(settings, new Map());
      for (let i = 0; i < 3; i++) {
        const proposal = proposals.next(new Map());
        if (proposal === undefined) return;
        expectName(proposal.name);
        childParams({ schedule: { type: 'step' } }, proposal.point, path);
      }
    }),
  }),

  'the journal of a search': (folder) => ({
    inputs: lineMutants(journal),
    read: inFile(folder, 'search.journal.jsonl', (path) => {
      const events = readJournal(path);
      const trials = [...trialsOf(events).values()];
      for (const trial of trials) {
        expectName(trial.name);
        stateOf(trial, 2);
        valueOf(trial).toFixed(4);
      }
      const begun = events.findLast(({ event }) => event === 'search');
      if (begun?.event === 'search') settingsChanges(begun.settings, settings);
      new Proposals(settings, trialsOf(events)).next(trialsOf(events));
    }),
  }),

  'the files of a run, by the report': (folder) => {
    const run = finished({ method: ['kd', { name: 'crd' }], schedule: { type: 'step', gamma: 0.1 } }, 0.5);
    writeSeen(writeRun(join(folder, 'good'), finished({ alpha: 0.5 }, 0.6)), { ...seen, teacher: undefined });
    const bad = writeRun(join(folder, 'bad'), run);
    writeHits(bad, 'val', { cat: [1, 2], dog: [1, 2] });
    writeSeen(bad, seen);
    const originals = {
      'params.json': jsonMutants([run.params, { method: '[1]' }]),
      'metrics.jsonl': lineMutants(run.history!),
      'metrics_val_best_weights.json': jsonMutants([run.val]),
      'metrics_val_last_weights.json': jsonMutants([run.last]),
      'metrics_test_best_weights.json': jsonMutants([run.test]),
      'run.json': jsonMutants([run.run]),
      'export.json': jsonMutants([{ float32: { latency: { batch_1: 0.5 } } }]),
      'predictions_val.safetensors': mutants([readFileSync(join(bad, 'predictions_val.safetensors'))]),
      'predictions_teacher.safetensors': mutants([readFileSync(join(bad, 'predictions_teacher.safetensors'))]),
      'images_test.safetensors': mutants([readFileSync(join(bad, 'images_test.safetensors'))]),
      '.lock': jsonMutants([{ pid: 1, host: 'elsewhere', started: null, since: '2026' }]),
      '../search.journal.jsonl': lineMutants(journal.map((event) => ({ ...event, name: 'bad' }))),
    };
    const files = fc.oneof(
      ...Object.entries(originals).map(([name, texts]) =>
        (texts as fc.Arbitrary<string | Uint8Array>).map((content) =>
          Buffer.from(`${name}\n${Buffer.from(content).toString('latin1')}`),
        ),
      ),
    );
    return {
      inputs: files,
      read: (input) => {
        const text = Buffer.from(input).toString('latin1');
        const end = text.indexOf('\n');
        const path = join(bad, text.slice(0, end));
        const before = originals[text.slice(0, end) as keyof typeof originals] && readIfThere(path);
        writeFileSync(path, Buffer.from(text.slice(end + 1), 'latin1'));
        try {
          const rows = rowsOf(collectRuns(folder));
          const table = makeTable(rows);
          for (const write of [toMarkdown, toCsv, toJson]) write(table);
          toTerminal(table, { width: 80, color: true });
          jsonText(pageData(table, folder));
          expect(rows.flatMap((row) => row.runs)).to.have.lengthOf(2);
        } finally {
          rmSync(path);
          if (before) writeFileSync(path, before);
        }
      },
    };
  },

  'logs of others, by the report': (folder) => {
    const logs = join(fixtures, 'logs');
    const names = ['lightning_logs/version_0/metrics.csv', 'keras/training.log'];
    const events = ['pytorch', 'keras_events/validation'].map((name) => `${name}/events.out.tfevents.1700000000.host`);
    return {
      inputs: mutants([...names, ...events].map((name) => readFileSync(join(logs, name)))),
      read: (input) => {
        const isText = (input as Uint8Array)[0] !== 0x18 && (input as Uint8Array).indexOf(0) < 0;
        const path = join(folder, isText ? 'metrics.csv' : 'events.out.tfevents.1');
        writeFileSync(path, input);
        try {
          const table = makeTable(rowsOf(collectRuns(folder)));
          for (const write of [toMarkdown, toCsv, toJson]) write(table);
          jsonText(pageData(table, folder));
        } finally {
          rmSync(path);
        }
      },
    };
  },

  'the files of a trial, by its search': (folder) => {
    const run = finished({ alpha: 0.5 }, 0.5);
    const file = fc.oneof(
      jsonMutants([run.params]).map((text) => `params.json\n${text}`),
      lineMutants(run.history!).map((text) => `metrics.jsonl\n${text}`),
      jsonMutants([run.val]).map((text) => `metrics_val_best_weights.json\n${text}`),
      jsonMutants([{ pid: 1, host: 'h', started: null, since: '2026' }]).map((text) => `.lock\n${text}`),
    );
    const child = writeRun(join(folder, 'child'), run);
    return {
      inputs: file,
      read: (input) => {
        const text = String(input);
        const path = join(child, text.slice(0, text.indexOf('\n')));
        const before = readIfThere(path);
        writeFileSync(path, text.slice(text.indexOf('\n') + 1));
        try {
          curveOf(child, 'val_accuracy').map((value) => value.toFixed(3));
          const { value, epochs } = scoreOf(child, 'val_loss');
          expect([typeof value, typeof epochs]).to.deep.equal(['number', 'number']);
          lastWords(child);
          lockState(child);
          lockHolder(child);
          prepareChild(child, { ...run.params }, (given) => given);
        } finally {
          rmSync(path);
          if (before) writeFileSync(path, before);
        }
      },
    };
  },

  'last.safetensors and metrics, by the run': (folder) => {
    const history = [{ epoch: 1, learning_rate: 0.1, train: { loss: 1 }, val: { accuracy: 0.5, loss: 1 } }];
    const position = { epoch: 1, step: 2, sums: { loss: { sum: 1, examples: 2 } }, history };
    const run = new RunDirectory(folder);
    const w = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
    const metadata = fc.record({ params: jsonMutants(experiments), position: jsonMutants([position]) });
    return {
      inputs: fc.tuple(metadata, jsonMutants([{ epoch: 1, seconds: 3 }])).map((both) => JSON.stringify(both)),
      read: (input) => {
        const [kept, facts] = JSON.parse(String(input)) as [object, string];
        const header = JSON.stringify({ __metadata__: kept, w });
        writeFileSync(join(folder, 'last.safetensors'), safetensors(header, new Uint8Array(8)));
        writeFileSync(join(folder, 'metrics_test_best_weights.json'), facts);
        writeFileSync(join(folder, 'run.json'), facts);
        expect(run.secondsSpent()).to.be.a('number');
        const { position } = run.readLast()!;
        run.hasTestScore(position.history);
        expect(position.epoch + position.step).to.be.a('number');
        for (const { train, val } of position.history) formatMetrics({ ...train, ...val });
      },
    };
  },

  locks: (folder) => ({
    inputs: jsonMutants([
      { pid: 1, host: 'elsewhere', started: null, since: '2026' },
      { pid: 2 ** 31, host: '', started: '5', since: 5 },
    ]),
    read: inFile(folder, '.lock', () => {
      lockHolder(folder);
      const state = lockState(folder);
      acquireLock(folder).release();
      expect(state).not.to.equal('held');
    }),
  }),

  'run.json, by --reproduce': (folder) => {
    const facts = { params: experiments[0], cwd: folder, threads: 1, cores: 2, device: 'cpu', seconds: 3 };
    const files = {
      run: { ...facts, data: { train: 9, test: 3, sha256: 'a' }, files: { init: { path: 'a', sha256: 'b' } } },
    };
    const origin = { started_from: { path: 'run.json', sha256: 'c' } };
    const run = writeRun(join(folder, 'run'), { ...finished({}, 0.5), ...files });
    const [before, after] = ['run', 'run'].map((name) => new RunDirectory(join(folder, name))) as [
      RunDirectory,
      RunDirectory,
    ];
    return {
      inputs: jsonMutants([files.run, { ...files.run, ...origin }]),
      read: (input) => {
        writeFileSync(join(run, 'run.json'), input);
        try {
          const { directory } = planRepetition(run, undefined);
          expectWithin(run, directory);
          comparisonInWords(compareRuns(before, after));
        } finally {
          rmSync(join(run, 'again_1'), { recursive: true, force: true });
        }
      },
    };
  },

  'kept outputs of a teacher': (folder) => {
    const batch = digestOf(
      Uint8Array.from({ length: 12 }, (_, i) => i),
      3,
    );
    const logits = ndarray('float32', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
    const files = new SharedCache(folder, 1e6, () => {});
    const shapes = [['logits', [2]]] as const;
    new KeptOutputs(files, 'a', shapes, 'rows').keep(batch, { logits });
    const path = join(folder, 'a', batch.name);
    return {
      inputs: mutants([readFileSync(path)]),
      read: (input) => {
        writeFileSync(path, input);
        const kept = new KeptOutputs(files, 'a', shapes, 'rows');
        for (const found of [kept.rows(batch), kept.batch(batch)]) {
          if (found) expect(found.logits).to.deep.equal(logits);
        }
      },
    };
  },

  safetensors: () => {
    const bytes = readFileSync(join(fixtures, 'kinds.safetensors'));
    const end = 8 + Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString('utf8', 8, end)) as object;
    const assembled = jsonMutants([header]).map((json) => safetensors(json, bytes.subarray(end)));
    return {
      inputs: fc.oneof(mutants([bytes]), assembled),
      read: (input) => {
        const { tensors } = parseSafetensors(input as Uint8Array, 'x');
        const total = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
        expect(total).to.be.at.most(2 * input.length);
      },
    };
  },

  'PyTorch checkpoints': () => ({
    inputs: mutants([
      ...readdirSync(join(fixtures, 'torch'))
        .filter((name) => /^(kinds|checkpoint|cycle|names|attack4?|whole_module|protocol4|overlap)\./.test(name))
        .map((name) => readFileSync(join(fixtures, 'torch', name))),
      ...readdirSync(join(fixtures, 'checkpoints'))
        .filter((name) => !name.endsWith('.json'))
        .map((name) => readFileSync(join(fixtures, 'checkpoints', name))),
    ]),
    read: async (input) => {
      const tensors = await parseWeights(input as Uint8Array, 'x', { log: () => {} });
      fittingNames('x', tensors, new Set(['conv1.weight', 'fc.bias']), { rename: { 'features.0': 'conv1' } });
      const total = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
      expect(total).to.be.at.most(16 * input.length);
    },
  }),

  'ONNX files, as students': (folder) => ({
    inputs: mutants(
      ['tiny_mobilenet', 'tiny_convnext', 'tiny_vit', 'tiny_swin', 'flax_cnn'].map((name) =>
        readFileSync(join(fixtures, 'foreign_students', `${name}.onnx`)),
      ),
    ),
    // In evaluation mode, with all that is said of it, and in training mode, with gradients.
    read: inFile(folder, 'student.onnx', async (path) => {
      expect((await inspection(path, 32)).join('\n')).to.include('student.onnx');
      const graph = new Graph();
      const images = graph.input('images', 'float32', [4, 3, 32, 32]);
      const layers = new Layers(graph, { mode: 'train', seed: 0 });
      const net = netOfOnnx(ForeignNetwork.read(path), 'file');
      const { logits } = net(layers, images, { classes: 10, numChannels: 0, dropoutRate: 0 });
      const parameters = [...graph.states.values()].filter(({ trainable }) => trainable);
      gradients(
        mean(logits),
        parameters.map(({ tensor }) => tensor),
      );
    }),
  }),

  'ONNX models': () => ({
    inputs: mutants([
      ...[
        'torch_export.onnx',
        'torch_export_weights.onnx',
        'teachers/three_images.onnx',
        'teachers/open_batch.onnx',
      ].map((name) => readFileSync(join(fixtures, name))),
      ...onnxTeachers(),
    ]),
    read: (input) => {
      const bytes = input as Uint8Array;
      const model = readModel(bytes, 'x');
      readOnnxWeights(bytes, 'x');
      const [fed] = model.inputs;
      for (const { name } of [...model.outputs, { name: 'sums' }]) {
        if (!fed) continue;
        // Of any types: what comes of it is a model again, with one output.
        const ends = { input: { ...fed, dtype: 'float16' }, outputs: [{ name, dtype: 'float64' }] } as const;
        const adapted = adapt(bytes, model, ends, 'x');
        const again = readModel(adapted.bytes!, 'x');
        expect(again.outputs.map((value) => value.name)).to.deep.equal(adapted.outputs);
        expect(again.inputs.map((value) => value.name)).to.include(adapted.input);
      }
    },
  }),

  'npy arrays': (folder) => ({
    inputs: mutants([
      npy('<f4', [3, 2], new Uint8Array(24)),
      ...['float32_fortran', 'int64', 'uint8', 'version_3'].map((name) =>
        readFileSync(join(fixtures, 'npy', `${name}.npy`)),
      ),
    ]),
    read: inFile(folder, 'a.npy', readNpy),
  }),

  predictions: (folder) => {
    writeHits(folder, 'val', { cat: [3, 4], dog: [1, 2] });
    const path = join(folder, 'predictions_val.safetensors');
    return {
      inputs: mutants([readFileSync(path)]),
      read: inFile(folder, 'predictions_val.safetensors', readPredictions),
    };
  },

  'predictions of a teacher': (folder) => {
    writeSeen(folder, seen);
    return {
      inputs: mutants([readFileSync(join(folder, 'predictions_teacher.safetensors'))]),
      read: inFile(folder, 'predictions_teacher.safetensors', readTeacherPredictions),
    };
  },

  'test images': (folder) => {
    writeSeen(folder, seen);
    return {
      inputs: mutants([readFileSync(join(folder, 'images_test.safetensors'))]),
      read: inFile(folder, 'images_test.safetensors', readTestImages),
    };
  },

  'IDX files, plain and compressed': (folder) => {
    writeFakeMnist(folder);
    const images = idx([12, 28, 28], (i) => i % 256);
    const compressed = fc.oneof(
      mutants([images]).map((bytes) => gzipSync(bytes)),
      mutants([gzipSync(images)]),
    );
    const plain = mutants([idx([30], (i) => i % 10)]);
    rmSync(join(folder, 'train-labels-idx1-ubyte.gz'));
    return {
      inputs: fc.oneof(compressed, plain),
      read: (input) => {
        const bytes = input as Uint8Array;
        const isImages = bytes[0] === 0x1f;
        writeFileSync(join(folder, 't10k-images-idx3-ubyte.gz'), isImages ? bytes : gzipSync(images));
        writeFileSync(join(folder, 'train-labels-idx1-ubyte'), isImages ? idx([30], (i) => i % 10) : bytes);
        loadMnist(folder, 'mnist', 2);
      },
    };
  },

  'CIFAR-10 with class names': (folder) => {
    writeFileSync(join(folder, 'test_batch.bin'), fakeRecords(0, 1));
    const names = Buffer.from('airplane automobile bird cat deer dog frog horse ship truck'.replaceAll(' ', '\n'));
    return {
      inputs: mutants([fakeRecords(0, 2), names]),
      read: (input) => {
        const isRecords = input.length > 1000;
        writeFileSync(join(folder, 'data_batch_1.bin'), isRecords ? input : fakeRecords(0, 1));
        writeFileSync(join(folder, 'batches.meta.txt'), isRecords ? names : input);
        loadCifar10(folder);
      },
    };
  },

  'CIFAR-100': (folder) => {
    writeFakeCifar100(folder);
    return {
      inputs: mutants([fakeCifar100Records(2)]),
      read: inFile(folder, 'test.bin', () => loadCifar100(folder, 'fine')),
    };
  },

  'CIFAR in pickles': (folder) => {
    const published = join(fixtures, 'data', 'cifar-10-batches-py');
    for (const name of readdirSync(published)) writeFileSync(join(folder, name), readFileSync(join(published, name)));
    const batches = [1, 3, 4, 5].map((i) => readFileSync(join(published, `data_batch_${i}`)));
    const names = readFileSync(join(published, 'batches.meta'));
    return {
      inputs: mutants([...batches, names]),
      read: (input) => {
        const isBatch = input.length > 1000;
        writeFileSync(join(folder, 'data_batch_2'), isBatch ? input : batches[0]!);
        writeFileSync(join(folder, 'batches.meta'), isBatch ? names : input);
        loadCifar10(folder);
      },
    };
  },

  'CIFAR-10.1': (folder) => {
    writeFakeCifar101(folder);
    writeFileSync(join(folder, 'data_batch_1.bin'), fakeRecords(0, 1));
    writeFileSync(join(folder, 'test_batch.bin'), fakeRecords(0, 1));
    const [images, labels] = ['cifar10.1_v6_data.npy', 'cifar10.1_v6_labels.npy'].map((name) =>
      readFileSync(join(folder, name)),
    );
    return {
      inputs: mutants([images!, labels!]),
      read: (input) => {
        const isImages = input.length > 5000;
        writeFileSync(join(folder, 'cifar10.1_v6_data.npy'), isImages ? input : images!);
        writeFileSync(join(folder, 'cifar10.1_v6_labels.npy'), isImages ? labels! : input);
        loadCifar101(folder, folder);
      },
    };
  },

  'STL-10': (folder) => {
    const image = Buffer.alloc(27648, 7);
    for (const part of ['train', 'test']) {
      writeFileSync(join(folder, `${part}_X.bin`), image);
      writeFileSync(join(folder, `${part}_y.bin`), Buffer.of(3));
    }
    return {
      inputs: mutants([Buffer.of(3), image]),
      read: (input) => {
        const isImages = input.length > 100;
        writeFileSync(join(folder, 'test_X.bin'), isImages ? input : image);
        writeFileSync(join(folder, 'test_y.bin'), isImages ? Buffer.of(3) : input);
        loadStl10(folder, 'labeled');
      },
    };
  },

  'MATLAB files': (folder) => {
    writeFakeSvhn(folder);
    return {
      inputs: mutants([svhn(2), svhn(1, false), mat({ X: [[2], Buffer.of(1, 2)], y: [[1, 1], Buffer.of(1)] }, false)]),
      read: inFile(folder, 'test_32x32.mat', () => loadSvhn(folder)),
    };
  },

  'archives of NumPy': (folder) => ({
    inputs: mutants([
      zip(npzArrays({ train: 2, test: 1 }, 1), true),
      zip(npzArrays({ train: 2 }, 3), false),
      zip({ 'x.npy': npy('|u1', [2, 1, 1], Buffer.of(1, 2)), 'y.npy': npy('|u1', [2], Buffer.of(0, 1)) }, false),
    ]),
    read: inFile(folder, 'a.npz', (file) => loadNpz({ name: 'npz', file, test: 0.5, seed: 0 })),
  }),

  'Parquet files': (folder) => {
    const cases = join(fixtures, 'data', 'parquet_cases');
    const files = readdirSync(cases).map((name) => readFileSync(join(cases, name)));
    files.push(readFileSync(join(fixtures, 'data', 'parquet', 'data', 'test-00000-of-00001.parquet')));
    const params = {
      test: 0.5,
      seed: 0,
      on_bad_image: 'skip',
      cache: join(folder, 'cache'),
      cache_gigabytes: 0,
    } as const;
    return {
      inputs: mutants(files),
      read: inFile(folder, 'a.parquet', (dir) => loadParquet({ name: 'parquet', dir, ...params })),
    };
  },

  'tar archives of WebDataset': async (folder) => {
    const archive = tar([['1.json', '{"label": 1}'], ['1.txt', 'text'], ...(await samples(0, 3))]);
    const params = {
      test: 0.5,
      seed: 0,
      on_bad_image: 'skip',
      cache: join(folder, 'cache'),
      cache_gigabytes: 0,
    } as const;
    return {
      inputs: mutants([archive, archive.subarray(0, 2048)]),
      read: inFile(folder, 'a.tar', (dir) => loadWebDataset({ name: 'webdataset', dir, ...params })),
    };
  },

  'EMNIST and QMNIST': (folder) => {
    writeFakeEmnist(folder, 'letters', 26, 1);
    writeFakeQmnist(folder);
    const [images, labels] = [idx([2, 28, 28], (i) => i % 256), idx([12, 8], (i) => i % 10, 12)];
    return {
      inputs: mutants([images, labels]),
      read: (input) => {
        const isImages = input.length > 1000;
        const name = isImages ? 'emnist-letters-test-images-idx3-ubyte' : 'qmnist-test-labels-idx2-int';
        writeFileSync(join(folder, name), input);
        if (isImages) loadMnist(folder, 'emnist', 0, 'letters');
        else loadMnist(folder, 'qmnist');
      },
    };
  },

  images: async (folder) => {
    const picture = sharp({ create: { width: 24, height: 20, channels: 3, background: 'red' } });
    const kinds = [
      picture.clone().png(),
      picture.clone().jpeg(),
      picture.clone().webp(),
      picture.clone().gif(),
      picture.clone().tiff(),
      picture.clone().avif(),
    ];
    const originals = await Promise.all(kinds.map((kind) => kind.toBuffer()));
    const others = readdirSync(join(fixtures, 'images')).filter((name) => /\.(bmp|p[bgp]m)$/.test(name));
    originals.push(...others.map((name) => readFileSync(join(fixtures, 'images', name))));
    const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
    return {
      inputs: mutants([...originals, Buffer.from(drawing)]),
      read: inFile(folder, 'a.jpg', async (path) => {
        const { pixels, height, width } = await decode(path, { side: 8, icc: 'ignore' }).catch((error: unknown) => {
          // What the decoder says is an Error; a mistake of ours would be another.
          if (error instanceof TypeError || error instanceof RangeError) throw error;
          throw new UserError(failure(error));
        });
        expect(pixels).to.have.lengthOf(3 * height * width);
        expect(Math.min(height, width)).to.equal(8);
      }),
    };
  },

  'lists of images and their classes': async (folder) => {
    const image = await sharp({ create: { width: 12, height: 20, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    for (let i = 0; i < 4; i++) writeFileSync(join(folder, `${i}.png`), image);
    const lists = [
      'path,label,split\n0.png,cat,train\n1.png,"dog",train\n2.png,cat,val\n3.png,dog,test\n',
      '0.png 0\n1.png 1\n2.png 0\n',
      'a;ClassId;Path\n1;2;images\\0.png\n1;3;1.png\n',
      'cat\ndog\ncat\ndog\n',
      '0.png\tn01\t0\t32\t44\t62\n1.png\tn02\t0\t0\t63\t63\n2.png\tn01\t1\t2\t3\t4\n',
    ];
    const params = {
      name: 'folder',
      dir: folder,
      size: 8,
      labels: 'labels.csv',
      test: 0.5,
      seed: 0,
      on_bad_image: 'skip',
      cache: join(folder, 'cache'),
      cache_gigabytes: 1,
    } as const;
    return {
      inputs: mutants(lists.map((list) => Buffer.from(list))),
      read: inFile(folder, 'labels.csv', async () => {
        const { train, classes } = await loadDataset(params);
        for (const label of train.labels) expect(label).to.be.within(0, classes.length - 1);
      }),
    };
  },

  'the index of an image cache': async (folder) => {
    const dir = join(folder, 'images');
    for (const name of ['ants', 'bees']) {
      mkdirSync(join(dir, name), { recursive: true });
      for (const i of [1, 2]) {
        const path = join(dir, name, `${i}.png`);
        await sharp({ create: { width: 12, height: 20, channels: 3, background: 'red' } }).toFile(path);
      }
    }
    const cache = join(folder, 'cache');
    const params = {
      name: 'folder',
      dir,
      size: 8,
      test: 0.5,
      seed: 0,
      on_bad_image: 'skip',
      cache,
      cache_gigabytes: 1,
    } as const;
    await loadDataset(params);
    const path = join(cache, readdirSync(cache)[0]!, 'index.json');
    return {
      inputs: jsonMutants([JSON.parse(readFileSync(path, 'utf8'))]),
      read: async (input) => {
        writeFileSync(path, input);
        const { train } = await loadDataset(params);
        if (!('read' in train)) throw new Error('images are read from their files');
        for (let i = 0; i < train.size; i++) {
          expect(train.sizeOf(i).every((side) => side > 0 && side < 100)).to.equal(true);
          expect(await train.read(i)).to.have.lengthOf(3 * 8 * 8);
        }
      },
    };
  },

  globs: () => ({
    inputs: fc
      .tuple(fc.string({ maxLength: 200 }), fc.constantFrom('*', '*a', '?*', '{a,b}', '(a+)+', '[a-', '**/', '!('))
      .map(([text, piece]) => (text + piece.repeat(200)).slice(0, 200)),
    read: (input) => {
      matches(String(input), `${'a'.repeat(1000)}.weight`);
    },
  }),
};

const fixtures = join(__dirname, '..', 'fixtures');

/** What two students and a teacher take six images for. */
const seen = { labels: [0, 0, 0, 1, 1, 1], student: [0, 1, 1, 1, 0, 1], teacher: [0, 0, 1, 1, 1, 0] };
const plain = { model_version: 'cnn', learning_rate: 0.001, num_epochs: 3 };
const experiments: object[] = [
  plain,
  {
    ...plain,
    model_version: 'cnn_distill',
    teacher: [
      { model: 'resnet20', checkpoint: 'a.pth', normalize: { mean: [0.5], std: [0.5] } },
      { onnx: 'a.onnx', size: 8 },
    ],
    method: ['kd', { name: 'at', weight: 500, layers: [['stage1', 'stage2']] }],
    dataset: { name: 'folder', dir: 'images', size: 32, cache: 'cache' },
    augmentation: ['crop', { name: 'mixup', alpha: 0.2 }],
    schedule: { type: 'multistep', milestones: [1, 2], gamma: 0.1 },
    init: { checkpoint: 'a.safetensors', skip: ['fc'] },
    freeze: ['conv1', 'layer*'],
    learning_rates: { 'fc*': 0.01 },
    class_weights: [1, 2],
    early_stopping: { patience: 3 },
  },
  {
    ...plain,
    model_version: 'resnet8_distill',
    teacher: 'resnet20',
    method: { name: 'takd', assistants: ['resnet14'] },
  },
  {
    ...plain,
    dataset: { name: 'mnist', pad: 2 },
    hidden_sizes: [30],
    model_version: 'mlp',
    schedule: { type: 'cosine' },
  },
];

const searches: object[] = [
  { space: { alpha: [0.1, 0.5], 'schedule.gamma': { low: 0.1, high: 0.9 } }, sampler: 'random', n_trials: 4 },
  {
    space: {
      optimizer: ['adam', 'sgd'],
      momentum: { low: 0.1, high: 0.9, step: 0.1, when: { optimizer: 'sgd' } },
      num_channels: { low: 8, high: 64, log: true, integer: true },
      teacher: { values: [{ model: 'resnet20', checkpoint: 'a/b.pth' }, 'none'] },
    },
    sampler: { name: 'tpe', startup_trials: 2 },
    pruner: { name: 'asha' },
    trial_timeout: '1h30m',
    slurm: { partition: 'gpu', time: '1:00:00', memory: '8G' },
    launcher: 'slurm',
    repeats: 2,
  },
];

const settings = parseSettings(searches[0], 'search.json');
const point = { alpha: 0.1, 'schedule.gamma': 0.5 };
const journal: object[] = [
  { time: '2026-01-01T00:00:00.000Z', event: 'search', settings, params: { num_epochs: 3 } },
  { event: 'proposed', name: 'alpha_0.1', trial: 0, point },
  { event: 'started', name: 'alpha_0.1', repeat: 0 },
  { event: 'finished', name: 'alpha_0.1', repeat: 0, value: 0.5, epochs: 3 },
  { event: 'proposed', name: 'alpha_0.5', trial: 1, point: { alpha: 0.5, 'schedule.gamma': 0.2 } },
  { event: 'pruned', name: 'alpha_0.5', repeat: 0, value: null, epochs: 1 },
  { event: 'failed', name: 'alpha_0.5', repeat: 1, reason: 'exit code 1' },
];

/** A safetensors file with this header. */
function safetensors(header: string, data: Uint8Array): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return new Uint8Array(Buffer.concat([length, Buffer.from(header), data]));
}

/** Writes an input to a file of that name, and then reads it. */
function inFile(folder: string, name: string, read: (path: string) => unknown): Target['read'] {
  const path = join(folder, name);
  return (input) => {
    writeFileSync(path, input);
    return read(path);
  };
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function expectWithin(folder: string, path: string): void {
  expect(path === folder || path.startsWith(`${folder}/`), path).to.equal(true);
  expect(path).not.to.match(/\0|\.\./);
}

/** A name that is one folder everywhere, and nothing to a shell. */
function expectName(name: string): void {
  expect(name).to.match(/^[A-Za-z][A-Za-z0-9._+-]{0,254}$/);
}

/** Seconds of a processor that one input may take. */
const MOST_SECONDS = 10;

/**
 * Tries a target on so many mutants: each is read, or refused by a UserError, in bounded time; nothing appears beside the
 * target's folder, and no object that others share is changed. The same seed draws the same mutants.
 */
export async function fuzz(make: MakeTarget, runs: number, seed: number): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'fuzz-'));
  const folder = join(scratch, 'a', 'b', 'c');
  mkdirSync(folder, { recursive: true });
  const shared = sharedProperties();
  try {
    const { inputs, read } = await make(folder);
    const property = fc.asyncProperty(inputs, async (input) => {
      const { user } = process.cpuUsage();
      try {
        await read(input);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
      }
      expect((process.cpuUsage().user - user) / 1e6, 'seconds').to.be.below(MOST_SECONDS);
      expect(sharedProperties()).to.equal(shared);
    });
    await fc.assert(property, { numRuns: runs, seed });
    expect(readdirSync(scratch)).to.deep.equal(['a']);
    expect(readdirSync(join(scratch, 'a'))).to.deep.equal(['b']);
    expect(readdirSync(join(scratch, 'a', 'b'))).to.deep.equal(['c']);
    for (const name of ['executed', 'outside']) expect(readIfThere(name), name).to.equal(undefined);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** What all objects, lists, functions and texts have in common. */
function sharedProperties(): string {
  const prototypes = [Object.prototype, Array.prototype, Function.prototype, String.prototype, Map.prototype];
  return prototypes.map((one) => Reflect.ownKeys(one).map(String).join()).join('\n');
}
