/** export.ts: its files, and what knows nothing of this project makes of them: ONNX Runtime, a browser, ONNX itself. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readModel } from '../engine/onnx/read';
import { readSafetensors } from '../formats/safetensors';
import { makeShapes } from '../model/data/sets/shapes';
import { allOf, Evaluator } from '../model/evaluation/evaluator';
import type { Figures } from '../model/evaluation/metrics';
import { predictLogits } from '../model/evaluation/predict';
import { nets } from '../model/nets';
import { version } from '../package.json';
import { findBrowser, resultOfPage, type ServedFile } from './helpers/browser';
import { netronFolder, netronParser, pythonRuntimes } from './helpers/onnx_readers';
import { pythonWith, runPython } from './helpers/python';
import { experiment, readJsonIn, runScript, train } from './helpers/train';

interface Measured {
  bytes: number;
  accuracy: number;
  agreement: number;
  largest_difference: number;
  latency: { batch_1: number; batch_128: number };
}

const root = join(__dirname, '..');
const params = { dataset: { name: 'shapes', train: 300, test: 110 }, num_channels: 16, num_epochs: 2 };

describe('export.ts', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'export-spec-'));
  const run = join(scratch, 'run');
  const path = join(run, 'student.onnx');
  const path8 = join(run, 'student.int8.onnx');
  after(() => rmSync(scratch, { recursive: true }));

  const exported = (...args: string[]) => runScript('export.ts', scratch, args);

  let stdout: string;
  let reduced: string;
  let float32: Measured;
  let int8: Measured;
  /** Logits of the network as training evaluates it, for the test images. */
  let expected: Float32Array;
  const { test, classes, normalize, shape } = makeShapes({ train: 1, test: 110, seed: 0 });

  before(async () => {
    experiment(run, params);
    expect(await train(scratch, ['--model_dir', run])).to.include({ exitCode: 0 });
    const plain = await exported('--model_dir', run);
    expect(plain).to.include({ exitCode: 0, stderr: '' });
    ({ float32 } = readJsonIn<{ float32: Measured }>(run, 'export.json'));
    const quantized = await exported('--model_dir', run, '--precision', 'int8');
    expect(quantized).to.include({ exitCode: 0, stderr: '' });
    ({ stdout } = quantized);
    ({ int8 } = readJsonIn<{ int8: Measured }>(run, 'export.json'));
    const file = join(scratch, 'reduced.onnx');
    const reducing = await exported('--model_dir', run, '--precision', 'int8', '--reduce_range', '--out', file);
    expect(reducing).to.include({ exitCode: 0, stderr: '' });
    reduced = reducing.stdout;

    const options = { classes: 10, numChannels: 16, dropoutRate: 0 };
    const model = { net: nets.cnn!.build, options, normalize, input: shape };
    const evaluator = await Evaluator.create(model, readSafetensors(join(run, 'best.safetensors')).tensors, 1);
    expected = await predictLogits(evaluator, test, allOf(test), { classes, shape });
    await evaluator.release();
  });

  /** The largest difference from the expected logits, for the first images. */
  const differenceOf = (logits: readonly number[]) =>
    Math.max(...logits.map((value, i) => Math.abs(value - expected[i]!)));

  it('writes a file that says what it is', () => {
    const { accuracy } = readJsonIn<Figures>(run, 'metrics_test_best_weights.json');
    for (const [file, precision, bytes] of [
      [path, 'float32', float32.bytes],
      [path8, 'int8', int8.bytes],
    ] as const) {
      const { inputs, outputs, opsets, metadata, nodes } = readModel(new Uint8Array(readFileSync(file)), file);
      expect(inputs).to.deep.equal([{ name: 'images', dtype: 'float32', shape: ['batch', 3, 32, 32] }]);
      expect(outputs).to.deep.equal([{ name: 'logits', dtype: 'float32', shape: ['batch', 10] }]);
      expect([...opsets]).to.deep.equal([['', 17]]);
      expect(nodes.map(({ opType }) => opType)).not.to.include('BatchNormalization');
      expect(Object.fromEntries(metadata)).to.deep.equal({
        input_range: '[0, 1]',
        model_version: 'cnn',
        classes: JSON.stringify(classes),
        input_size: '[3,32,32]',
        normalization: JSON.stringify(normalize),
        precision,
        distillery_version: version,
        test_accuracy: String(precision === 'float32' ? accuracy : int8.accuracy),
      });
      // Measured before the accuracy was written into it.
      expect(statSync(file).size - bytes).to.be.within(10, 60);
    }
  });

  it('measures it beside the network that it was made of', () => {
    const { accuracy } = readJsonIn<Figures>(run, 'metrics_test_best_weights.json');
    expect(float32).to.include({ accuracy, agreement: 1 });
    expect(float32.largest_difference).to.be.lessThan(1e-4);
    expect(int8.agreement).to.be.at.least(0.9);
    expect(int8.largest_difference).to.be.within(1e-4, 0.5);
    for (const { latency } of [float32, int8]) {
      expect(latency.batch_1).to.be.greaterThan(0);
      expect(latency.batch_128).to.be.greaterThan(0);
    }
    const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
    expect(stdout).to.match(new RegExp(`accuracy +│ ${percent(float32.accuracy)} +│ ${percent(int8.accuracy)}`));
    expect(stdout).to.include(`Written to ${path8}`);
  });

  it('says where 8 bits come to other numbers, and what does not', () => {
    expect(stdout).to.include('x86 processors without VNNI').and.include('--reduce_range');
    expect(reduced).not.to.include('VNNI');
    expect(readJsonIn<object>(run, 'export.json')).to.include({ precision: 'int8', reduce_range: true });
    const { command } = readJsonIn<{ command: string[] }>(run, 'export.json');
    expect(command).to.deep.equal(['export.ts', '--model_dir', run, ...command.slice(3)]);
  });

  it('gives evaluate.ts the figures of the checkpoint', async () => {
    const ended = await runScript('evaluate.ts', scratch, ['--model_dir', run, '--split', 'test', '--onnx', path]);
    expect(ended).to.include({ exitCode: 0, stderr: '' });
    const figures = readJsonIn<Figures>(join(run, 'evaluation'), 'evaluation_test_student.json');
    const { accuracy, loss } = readJsonIn<Figures>(run, 'metrics_test_best_weights.json');
    expect(figures.accuracy).to.equal(accuracy);
    expect(figures.loss).to.be.closeTo(loss, 1e-5);
  });

  it('gives a student a teacher that needs no further words', async () => {
    const teacher = { onnx: path };
    const taught = experiment(join(scratch, 'taught'), { ...params, model_version: 'cnn_distill', teacher });
    copyFileSync(join(run, 'best.safetensors'), join(taught, 'best.safetensors'));
    const ended = await runScript('evaluate.ts', scratch, ['--model_dir', taught, '--split', 'test']);
    expect(ended).to.include({ exitCode: 0, stderr: '' });
    const figures = readJsonIn<Figures>(join(taught, 'evaluation'), 'evaluation_test_best.json');
    expect(figures.teacher!.agreement).to.equal(1);
    expect(figures.teacher!.kl_divergence).to.be.closeTo(0, 1e-9);
  });

  it('runs in a script that knows onnxruntime-node alone', () => {
    const folder = join(scratch, 'bare');
    mkdirSync(folder);
    writeFileSync(join(folder, 'pixels.bin'), test.images);
    writeFileSync(
      join(folder, 'bare.js'),
      `const { InferenceSession, Tensor } = require(${JSON.stringify(join(root, 'node_modules', 'onnxruntime-node'))});
      const pixels = require('node:fs').readFileSync('pixels.bin');
      InferenceSession.create(process.argv[2], { logSeverityLevel: 3 }).then(async (session) => {
        for (const size of [1, 110]) {
          const values = Float32Array.from(pixels.subarray(0, size * 3072), (pixel) => pixel / 255);
          const images = new Tensor('float32', values, [size, 3, 32, 32]);
          const { logits } = await session.run({ images });
          console.log(JSON.stringify({ dims: logits.dims, values: Array.from(logits.data) }));
        }
      });`,
    );
    for (const [file, tolerance] of [
      [path, 1e-4],
      [path8, 0.5],
    ] as const) {
      const { stdout: said, stderr } = spawnSync(process.execPath, ['bare.js', file], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect(stderr).to.equal('');
      const answers = said
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { dims: number[]; values: number[] });
      expect(answers.map(({ dims }) => dims)).to.deep.equal([
        [1, 10],
        [110, 10],
      ]);
      for (const { values } of answers) expect(differenceOf(values)).to.be.lessThan(tolerance);
    }
  });

  it('runs in a browser', async function () {
    const browser = findBrowser();
    if (browser === undefined) {
      console.log('      left out: no chromium on the PATH');
      return this.skip();
    }
    const dist = join(root, 'node_modules', 'onnxruntime-web', 'dist');
    const served = (type: string, content: Uint8Array | string): ServedFile => ({ type, content });
    const files = new Map([
      ['/', served('text/html', page)],
      ['/student.onnx', served('application/octet-stream', readFileSync(path))],
      ['/student.int8.onnx', served('application/octet-stream', readFileSync(path8))],
      ['/pixels.bin', served('application/octet-stream', test.images.subarray(0, 20 * 3072))],
      ...['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs'].map(
        (name) => [`/ort/${name}`, served('text/javascript', readFileSync(join(dist, name)))] as const,
      ),
      [
        '/ort/ort-wasm-simd-threaded.wasm',
        served('application/wasm', readFileSync(join(dist, 'ort-wasm-simd-threaded.wasm'))),
      ],
    ]);
    const [plain, quantized] = JSON.parse(await resultOfPage(browser, files)) as [number[], number[]];
    expect([plain, quantized].map((logits) => logits.length)).to.deep.equal([200, 200]);
    expect(differenceOf(plain)).to.be.lessThan(1e-4);
    expect(differenceOf(quantized)).to.be.lessThan(0.5);
  });

  it('is read and checked by ONNX', function () {
    const python = ['python3', '/usr/bin/python3'].find((name) => spawnSync(name, ['-c', 'import onnx']).status === 0);
    if (python === undefined) {
      console.log('      left out: no Python with onnx');
      return this.skip();
    }
    const script = `import onnx, sys
for path in sys.argv[1:]:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    print(model.producer_name, model.graph.input[0].name, [p.value for p in model.metadata_props if p.key == "precision"])`;
    const { stdout: said, status, stderr } = spawnSync(python, ['-c', script, path, path8], { encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    expect(said).to.equal("distillery images ['float32']\ndistillery images ['int8']\n");
  });

  for (const [module, name] of [
    ['onnxruntime', 'ONNX Runtime for Python'],
    ['openvino', 'OpenVINO'],
  ] as const) {
    it(`gives the same logits in ${name}`, function () {
      const python = pythonWith(`numpy, ${module}`);
      if (python === undefined) return this.skip();
      const images = join(scratch, 'images.bin');
      writeFileSync(
        images,
        Float32Array.from(test.images, (pixel) => pixel / 255),
      );
      const [plain, quantized] = runPython(python, pythonRuntimes[module], [images, path, path8]) as number[][];
      expect([plain!.length, quantized!.length]).to.deep.equal([1100, 1100]);
      expect(differenceOf(plain!)).to.be.lessThan(1e-4);
      expect(differenceOf(quantized!)).to.be.lessThan(0.5);
    });
  }

  it("is opened by Netron's parser", function () {
    const python = pythonWith('netron');
    if (python === undefined) return this.skip();
    const folder = runPython(python, netronFolder, []) as string;
    const args = ['--input-type=module', '-e', netronParser, folder, path, path8];
    const { stdout: said, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(said, stderr).to.match(/^\[/);
    const found = JSON.parse(said) as Record<string, unknown>[];
    for (const [i, file] of [path, path8].entries()) {
      const { nodes } = readModel(new Uint8Array(readFileSync(file)), file);
      expect(found[i]).to.deep.equal({
        format: 'ONNX v8',
        producer: 'distillery',
        inputs: [['images', 'float32[batch,3,32,32]']],
        outputs: [['logits', 'float32[batch,10]']],
        types: nodes.map(({ opType }) => opType),
      });
    }
  });

  it('quantizes a trained ResNet for less than a point of accuracy and to less than two sevenths of its size', async () => {
    const directory = experiment(join(scratch, 'resnet'), {
      model_version: 'resnet20',
      dataset: { name: 'shapes', train: 600, test: 600 },
    });
    const weights = join(root, 'experiments', 'quickstart', 'teacher', 'best.safetensors');
    copyFileSync(weights, join(directory, 'best.safetensors'));
    const out = join(scratch, 'resnet8bit.onnx');
    const ended = await exported('--model_dir', directory, '--precision', 'int8', '--out', out);
    expect(ended).to.include({ exitCode: 0, stderr: '' });
    const measured = readJsonIn<Record<'float32' | 'int8', Measured>>(directory, 'export.json');
    expect(measured.float32.accuracy).to.be.greaterThan(0.95);
    expect(measured.int8.accuracy).to.be.greaterThan(measured.float32.accuracy - 0.01);
    expect(measured.float32.bytes / measured.int8.bytes).to.be.greaterThan(3.5);
    expect(statSync(out).size).to.be.within(measured.int8.bytes, measured.int8.bytes + 60);
  });

  describe('ends with one line', () => {
    const cases: [string, string[], string, number][] = [
      ['without a directory', [], '--model_dir is missing: name the directory of an experiment', 2],
      [
        'for an unknown precision',
        ['--model_dir', run, '--precision', 'int4'],
        '--precision must be one of float32, int8, got "int4"',
        2,
      ],
      [
        'for a file that cannot be written',
        ['--model_dir', run, '--out', join(scratch, 'none', 'student.onnx')],
        `${join(scratch, 'none', 'student.onnx')}: cannot be written: `,
        1,
      ],
      ['for a directory in place of a file', ['--model_dir', run, '--out', scratch], `${scratch}: is a directory;`, 1],
      ['for a missing checkpoint', ['--model_dir', run, '--restore_file', 'first.pth'], 'first.pth: no such file', 1],
    ];
    for (const [name, args, message, code] of cases) {
      it(name, async () => {
        const { exitCode, stderr } = await exported(...args);
        expect(stderr.startsWith(`error: ${message}`), stderr).to.equal(true);
        expect(stderr.match(/\n/g), stderr).to.have.length(1);
        expect(exitCode).to.equal(code);
      });
    }
  });
});

/** Feeds twenty images to both files and posts the logits, or what went wrong. */
const page = `<!doctype html>
<script type="module">
  const answer = async () => {
    const ort = await import('/ort/ort.wasm.min.mjs');
    ort.env.wasm.wasmPaths = '/ort/';
    ort.env.wasm.numThreads = 1;
    const pixels = new Uint8Array(await (await fetch('/pixels.bin')).arrayBuffer());
    const values = Float32Array.from(pixels, (pixel) => pixel / 255);
    const images = new ort.Tensor('float32', values, [20, 3, 32, 32]);
    const answers = [];
    for (const file of ['/student.onnx', '/student.int8.onnx']) {
      const session = await ort.InferenceSession.create(file);
      answers.push(Array.from((await session.run({ images })).logits.data));
    }
    return answers;
  };
  const result = await answer().catch(String);
  await fetch('/result', { method: 'POST', body: JSON.stringify(result) });
</script>`;
