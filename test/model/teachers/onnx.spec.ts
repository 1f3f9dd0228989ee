/** Teachers in ONNX files: PyTorch's exports and our own, checked against PyTorch; and what is refused. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { Graph } from '../../../engine/graph';
import { ModelProto } from '../../../engine/onnx/proto';
import { writeModel } from '../../../engine/onnx/write';
import { avgPool, conv2d, linear, relu, softmax } from '../../../engine/ops';
import { Session } from '../../../engine/session';
import { bytesOf, ndarray, type NdArray } from '../../../formats/ndarray';
import { readSafetensors } from '../../../formats/safetensors';
import type { StoredDataset } from '../../../model/data/dataset';
import type { Batch } from '../../../model/data/loader';
import { nets } from '../../../model/nets';
import type { Model } from '../../../model/nets/model';
import { loadTeacher, type Teacher } from '../../../model/teachers';
import type { OnnxTeacherParams } from '../../../model/teachers/onnx/params';
import { preparation } from '../../../model/teachers/onnx/preparation';
import { UserError } from '../../../utils/errors';
import { expectClose } from '../../helpers/engine';
import { makePipe } from '../../helpers/special_files';
import { complaintOf } from '../../utils/rows';

const fixtures = join(__dirname, '..', '..', 'fixtures', 'teachers');
const { tensors, metadata } = readSafetensors(join(fixtures, 'outputs.safetensors'));
const normalize = JSON.parse(metadata.normalize!) as NonNullable<OnnxTeacherParams['normalize']>;
const stored = (name: string): NdArray => tensors.get(name)!;

/** Labels that the network of the name gives. */
function labelsOf(name: string): Uint8Array {
  const { data, shape } = stored(name);
  const row = (i: number) => Array.from(data.subarray(10 * i, 10 * i + 10) as Float32Array);
  return Uint8Array.from({ length: shape[0]! }, (_, i) => row(i).indexOf(Math.max(...row(i))));
}

function datasetOf(labels: Uint8Array): StoredDataset {
  const split = { images: stored('images').data as Uint8Array, labels, size: 5 };
  return {
    name: 'five',
    classes: Array.from({ length: 10 }, (_, i) => `class ${i}`),
    shape: [3, 32, 32],
    normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    train: split,
    test: split,
  };
}

const five = datasetOf(labelsOf('open_batch'));
const student: Model = {
  net: nets.cnn!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0 },
  normalize: five.normalize,
  input: five.shape,
};

/** A batch of the images of these numbers. */
function batchOf(...numbers: number[]): Batch {
  const images = numbers.map((i) => five.train.images.subarray(i * 3072, (i + 1) * 3072));
  return {
    images: Uint8Array.from(Buffer.concat(images)),
    labels: Int32Array.from(numbers, (i) => five.train.labels[i]!),
    indices: Uint32Array.from(numbers),
    size: numbers.length,
  };
}

/** Rows of these numbers. */
function rowsOf({ data }: NdArray, ...numbers: number[]): NdArray {
  const values = numbers.flatMap((i) => [...(data as Float32Array).subarray(10 * i, 10 * i + 10)]);
  return ndarray('float32', [numbers.length, 10], Float32Array.from(values));
}

describe('an ONNX teacher', () => {
  let folder: string;
  let path: string;
  let lines: [string, string][];
  const open: Teacher[] = [];
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnx-teacher-'));
    path = join(folder, 'teacher.onnx');
  });
  beforeEach(() => (lines = []));
  afterEach(async () => {
    for (const teacher of open.splice(0)) await teacher.release();
  });
  after(() => rmSync(folder, { recursive: true }));

  async function load(onnx: string, params: Partial<OnnxTeacherParams> = {}, dataset = five): Promise<Teacher> {
    const filled: OnnxTeacherParams = { onnx, layout: 'NCHW', output: 'logits', ...params };
    const log = (level: string, line: string) => lines.push([level, line]);
    const teacher = await loadTeacher(filled, student, dataset, { threads: 1, log });
    open.push(teacher);
    return teacher;
  }

  for (const [name, params] of Object.entries({
    open_batch: {},
    one_image: {},
    three_images: { size: 48 },
  })) {
    it(`gives the logits of PyTorch: ${name}`, async () => {
      const teacher = await load(join(fixtures, `${name}.onnx`), { normalize, ...params });
      for (const numbers of [[0, 1, 2, 3, 4], [3, 1], [2]]) {
        const logits = await teacher.logits(batchOf(...numbers));
        expectClose(logits, rowsOf(stored(name), ...numbers), 1e-5);
      }
    });
  }

  /** The network of the fixture `nhwc`, fed channels last, in its own graph. */
  function channelsLast(): Uint8Array {
    const graph = new Graph();
    const weight = (name: string) => graph.constant(stored(`nhwc.${name}`));
    const images = graph.input('pixels', 'float32', [1, 32, 32, 3]);
    let x = graph.emit('Transpose', [images], [1, 3, 32, 32], { attributes: { perm: [0, 3, 1, 2] } });
    x = relu(conv2d(x, weight('conv1.weight'), weight('conv1.bias'), { stride: 2, padding: 1 }));
    x = relu(conv2d(x, weight('conv2.weight'), weight('conv2.bias'), { stride: 2, padding: 1 }));
    x = graph.emit('Flatten', [avgPool(x, 2)], [1, 128], { attributes: { axis: 1 } });
    graph.output('probabilities', softmax(linear(x, weight('fc.weight'), weight('fc.bias'))));
    return writeModel(graph, { dynamicBatch: true });
  }

  it('gives the logarithms of PyTorch’s probabilities, of a model of ours fed channels last', async () => {
    writeFileSync(path, channelsLast());
    const unit: OnnxTeacherParams['normalize'] = { mean: [0, 0, 0], std: [1, 1, 1] };
    const teacher = await load(path, { layout: 'NHWC', output: 'probabilities', normalize: unit });
    const { shape, data } = stored('nhwc');
    const expected = ndarray('float32', shape, (data as Float32Array).map(Math.log));
    expectClose(await teacher.logits(batchOf(0, 1, 2, 3, 4)), expected, 1e-5);
  });

  it('is normalized as the student where params do not say', async () => {
    const own = await load(join(fixtures, 'open_batch.onnx'), {
      normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    });
    const students = await load(join(fixtures, 'open_batch.onnx'));
    expect(await students.logits(batchOf(0, 4))).to.deep.equal(await own.logits(batchOf(0, 4)));
    const other = await load(join(fixtures, 'open_batch.onnx'), { normalize });
    expect(await other.logits(batchOf(0, 4))).not.to.deep.equal(await own.logits(batchOf(0, 4)));
  });

  it('sees the pixels resized as torch.nn.functional.interpolate does, in either layout', async () => {
    const sizes = [...tensors.keys()].flatMap((name) => /^resized_(\d+)_(\d+)$/.exec(name)?.slice(1).map(Number) ?? []);
    expect(sizes).to.have.length(10);
    for (let i = 0; i < sizes.length; i += 2) {
      const [height, width] = [sizes[i]!, sizes[i + 1]!];
      const expected = stored(`resized_${height}_${width}`);
      for (const layout of ['NCHW', 'NHWC'] as const) {
        const pixels = { layout, channels: 'RGB', height, width, range: 1, normalize, isWhole: false } as const;
        const graph = preparation([3, 8, 6], pixels);
        const session = await Session.create(graph, { threads: 1, dynamicBatch: true });
        const { prepared } = await session.run({ images: stored('small') });
        await session.release();
        const inOrder = layout === 'NCHW' ? prepared! : channelsFirst(prepared!);
        expectClose(inOrder, expected, 2e-6, `${layout} ${height} × ${width}`);
      }
    }
  });

  /** (N, H, W, C) as (N, C, H, W). */
  function channelsFirst({ shape, data }: NdArray): NdArray {
    const [n, h, w, c] = shape as [number, number, number, number];
    const moved = ndarray('float32', [n, c, h, w]);
    moved.data.forEach((_, i) => {
      const [at, channel, image] = [i % (h * w), Math.floor(i / (h * w)) % c, Math.floor(i / (h * w * c))];
      moved.data[i] = Number(data[(image * h * w + at) * c + channel]);
    });
    return moved;
  }

  it('says what it is fed where neither params.json nor the file says it', async () => {
    const model = join(fixtures, 'open_batch.onnx');
    const told = () => lines.filter(([, line]) => !line.includes('methods find'));
    await load(model, { normalize });
    expect(told()).to.deep.equal([]);
    await load(model);
    const mean = `[${five.normalize.mean.join(', ')}]`;
    expect(told()).to.deep.equal([
      [
        'info',
        `${model}: images are normalized with the student's mean ${mean} and std [${five.normalize.std.join(', ')}]`,
      ],
    ]);
  });

  it('bounds the logarithm of a probability of 0', async () => {
    writeFileSync(path, madeModel({ bias: [0, 1, ...Array<number>(8).fill(0)], scale: 0 }));
    const teacher = await load(path, { output: 'probabilities' });
    const { data } = await teacher.logits(batchOf(0));
    expect(data[1]).to.equal(0);
    expect(data[0]).to.be.closeTo(-126 * Math.LN2, 1e-4);
  });

  it('takes its weights from a file beside it, and from nowhere else', async () => {
    const bias = Float32Array.from({ length: 10 }, (_, i) => i);
    const inside = join(folder, 'model');
    mkdirSync(inside);
    for (const file of [join(folder, 'w.bin'), join(inside, 'w.bin')])
      writeFileSync(file, bytesOf(ndarray('float32', [10], bias)));
    const model = join(inside, 'x.onnx');
    writeFileSync(model, madeModel({ file: 'w.bin', scale: 0 }));
    const { data } = await (await load(model)).logits(batchOf(0));
    expect([...(data as Float32Array)]).to.deep.equal([...bias]);

    for (const file of ['../w.bin', join(folder, 'w.bin')]) {
      writeFileSync(model, madeModel({ file, scale: 0 }));
      expect(await complaintOf(model, () => load(model))).to.match(
        /^(ONNX Runtime cannot load it: .|its weights are in)/,
      );
    }
    writeFileSync(model, madeModel({ file: 'none.bin' }));
    expect(await complaintOf(model, () => load(model))).to.equal(
      'its weights are in the file "none.bin" next to it, which does not exist',
    );
    if (process.platform === 'win32') return;
    const letGo = makePipe(join(inside, 'pipe.bin'));
    writeFileSync(model, madeModel({ file: 'pipe.bin' }));
    expect(await complaintOf(model, () => load(model))).to.equal(
      'its weights are in the file "pipe.bin" next to it, which cannot be read: not a regular file',
    );
    letGo();
  });

  interface Made {
    /** Lengths or names of the axes of the input; undefined leaves them out. */
    shape?: (number | string)[] | null;
    /** TensorProto.DataType of the input. */
    type?: number;
    bias?: number[];
    scale?: number;
    /** Of the output; its axes behind the batch. */
    axes?: number[];
    /** What the output is reshaped to. */
    reshape?: number[];
    /** Another input or output of the model. */
    input?: object[];
    output?: object[];
    /** Where the values of the bias are. */
    file?: string;
  }

  const value = (name: string, elemType: number, shape: readonly (number | string)[] | null) => ({
    name,
    type: {
      tensorType: {
        elemType,
        ...(shape && {
          shape: { dim: shape.map((n) => (typeof n === 'number' ? { dimValue: n } : n === '' ? {} : { dimParam: n })) },
        }),
      },
    },
  });

  /** A model that gives scale · (mean of an image) + bias for each class. */
  function madeModel(made: Made = {}): Uint8Array {
    const { shape = ['N', 3, 32, 32], type = 1, scale = 1, input = [], output = [], file } = made;
    const { bias = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] } = made;
    const { axes = [bias.length] } = made;
    const { reshape = [-1, ...axes] } = made;
    const floats = (name: string, dims: number[], values: number[]) => ({ name, dims, dataType: 1, floatData: values });
    const external = { dataLocation: 1, externalData: [{ key: 'location', value: file }] };
    const int = (name: string, i: number) => ({ name, type: 2, i });
    return ModelProto.encode({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 13 }],
      graph: {
        name: 'made',
        node: [
          { opType: 'Cast', input: ['images'], output: ['x'], attribute: [int('to', 1)] },
          { opType: 'Flatten', input: ['x'], output: ['flat'], attribute: [int('axis', 1)] },
          {
            opType: 'ReduceMean',
            input: ['flat'],
            output: ['mean'],
            attribute: [{ name: 'axes', type: 7, ints: [1] }],
          },
          { opType: 'Mul', input: ['mean', 'scale'], output: ['scaled'] },
          { opType: 'Add', input: ['scaled', 'bias'], output: ['sums'] },
          { opType: 'Reshape', input: ['sums', 'shape'], output: ['logits'] },
          { opType: 'Relu', input: ['sums'], output: ['more'] },
        ],
        input: [value('images', type, shape), ...input],
        output: [value('logits', 1, shape && [shape[0]!, ...axes]), ...output],
        initializer: [
          floats('scale', [], [scale]),
          { ...floats('bias', [bias.length], file === undefined ? bias : []), ...(file !== undefined && external) },
          { name: 'shape', dims: [reshape.length], dataType: 7, int64Data: reshape },
        ],
      },
    }).finish();
  }

  const accepted: [what: string, made: Made, params?: Partial<OnnxTeacherParams>][] = [
    ['open axes', { shape: ['N', '', 'height', ''] }],
    ['a shape that is left out', { shape: null }],
    ['a batch that is larger than the sample', { shape: [7, 3, 8, 8] }],
    ['axes of length 1 behind the classes', { axes: [10, 1, 1] }],
    ['its own size said again', { shape: ['N', 3, 16, 16] }, { size: 16 }],
    ['another output that cannot be the logits', { output: [value('mean', 1, ['N', 1])] }],
  ];
  for (const [what, made, params] of accepted) {
    it(`may have ${what}`, async () => {
      writeFileSync(path, madeModel({ ...made, scale: 0 }));
      const { shape, data } = await (await load(path, params)).logits(batchOf(0, 1, 2));
      expect(shape).to.deep.equal([3, 10]);
      expect([...(data as Float32Array)].slice(10, 20)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });
  }

  const huge = 2 ** 40;
  const refused: [what: string, made: Made, says: RegExp, params?: Partial<OnnxTeacherParams>][] = [
    [
      'two inputs',
      { input: [value('scale2', 1, [1])] },
      /^has the inputs "images" float32 \[N, 3, 32, 32\], "scale2" float32 \[1\], accepted is a single input for images$/,
    ],
    ['integers', { type: 7 }, /^takes int64 for "images", accepted are float32, float16, bfloat16, float64 and uint8$/],
    ['three axes', { shape: ['N', 3, 32] }, /^the input "images" float32 \[N, 3, 32\] has 3 axes, accepted are 4/],
    ['two channels', { shape: ['N', 2, 32, 32] }, /has 2 channels in the layout NCHW, accepted are 3 as in five$/],
    [
      'the other layout',
      { shape: ['N', 32, 32, 3] },
      /has 32 channels in the layout NCHW, accepted are 3 as in five; with "layout": "NHWC" it has$/,
    ],
    [
      'the other layout, the other way round',
      {},
      /has 32 channels in the layout NHWC, accepted are 3 as in five; with "layout": "NCHW" it has$/,
      { layout: 'NHWC' },
    ],
    [
      'another size than declared',
      { shape: ['N', 3, 32, ''] },
      /has the size 32 × \?, but "size" is 224$/,
      { size: 224 },
    ],
    ['a large batch', { shape: [40_000, 3, 32, 32] }, /takes 122880000 values at a time, accepted are up to 67108864$/],
    ['large images', { shape: ['N', 3, 5000, 5000] }, /takes 75000000 values at a time, accepted are up to 67108864$/],
    ['a huge batch', { shape: [huge, 3, 32, 32] }, /takes 3377699720527872 values at a time, accepted are up to/],
    ['huge images', { shape: ['N', 3, huge, huge] }, /takes 3\.6\d+e\+24 values at a time, accepted are up to/],
    ['a huge size', { shape: [16, 3, '', ''] }, /takes 3221225472 values at a time/, { size: 8192 }],
    [
      'too few classes',
      { bias: [0, 1, 2] },
      /^has the outputs "logits" float32 \[N, 3\], accepted is one that is float32 \[N, 10\], one value for each of the 10 classes of five$/,
    ],
    ['classes on another axis', { axes: [1, 10] }, /^has the outputs "logits" float32 \[N, 1, 10\], accepted is one/],
    [
      'two outputs that may be the logits',
      { output: [value('more', 1, ['N', 10])] },
      /^has the outputs "logits" float32 \[N, 10\], "more" float32 \[N, 10\], accepted is one/,
    ],
    [
      'NaN among its weights',
      { bias: [NaN, 1, 2, 3, 4, 5, 6, 7, 8, 9] },
      /^outputs a value that is not finite for an image$/,
    ],
    ['an infinite weight', { scale: Infinity }, /^outputs a value that is not finite for an image$/],
    [
      'probabilities where logits are declared',
      { bias: Array<number>(10).fill(0.1), scale: 0 },
      /^outputs probabilities, not logits: set "output": "probabilities"$/,
    ],
    [
      'logits where probabilities are declared',
      {},
      /^outputs values that are not probabilities with sum 1: set "output": "logits"$/,
      { output: 'probabilities' },
    ],
  ];
  for (const [what, made, says, params] of refused) {
    it(`may not have ${what}`, async () => {
      writeFileSync(path, madeModel(made));
      expect(await complaintOf(path, () => load(path, params))).to.match(says);
    });
  }

  it('may not have an empty batch', async () => {
    const sixImages = Buffer.from(madeModel({ shape: [6, 3, 32, 32] })).toString('hex');
    writeFileSync(path, Buffer.from(sixImages.replace('0a0208060a020803', '0a0208000a020803'), 'hex'));
    expect(await complaintOf(path, () => load(path))).to.equal(
      'the input "images" float32 [0, 3, 32, 32] has an empty axis',
    );
  });

  it('is refused where its batch is baked in', async () => {
    writeFileSync(path, madeModel({ reshape: [1, 10] }));
    expect(await complaintOf(path, () => load(path))).to.match(/^ONNX Runtime cannot run it: .*Reshape/);
    writeFileSync(path, madeModel({ reshape: [10, -1] }));
    expect(await complaintOf(path, () => load(path))).to.equal(
      'outputs "logits" with shape [10, 5] for 5 images, accepted is [5, 10]',
    );
  });

  it('needs a file that is a model', async () => {
    const missing = join(folder, 'none.onnx');
    expect(await complaintOf(missing, () => load(missing))).to.equal('no such file');
    expect(await complaintOf(folder, () => load(folder))).to.match(/^cannot be read: /);
    writeFileSync(path, 'This is not a model.');
    expect(await complaintOf(path, () => load(path))).to.match(/^not a valid ONNX model: /);
  });

  it('is refused in one line where ONNX Runtime does not know an operator', async () => {
    const bytes = Buffer.from(madeModel()).toString('latin1').replace('ReduceMean', 'ReduceMoan');
    writeFileSync(path, Buffer.from(bytes, 'latin1'));
    expect(await complaintOf(path, () => load(path))).to.match(/^ONNX Runtime cannot load it: .*ReduceMoan/);
  });

  it('is loaded, or refused in one line, whatever its bytes', async function () {
    this.timeout(30_000);
    const original = Uint8Array.from(readFileSync(join(fixtures, 'three_images.onnx')));
    const edit = fc.tuple(fc.nat(original.length - 1), fc.nat(255));
    const outcomes = { loaded: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        fc.option(fc.nat(original.length)),
        async (edits, length) => {
          const bytes = original.slice();
          for (const [at, byte] of edits) bytes[at] = byte;
          writeFileSync(path, length === null ? bytes : bytes.subarray(0, length));
          try {
            const teacher = await load(path, { size: 8 });
            const { data } = await teacher.logits(batchOf(0, 1));
            expect(data.length).to.equal(20);
            outcomes.loaded++;
          } catch (error) {
            expect(error).to.be.instanceOf(UserError);
            const { message } = error as UserError;
            expect(message.startsWith(`${path}: `), message).to.equal(true);
            expect(message).not.to.match(/\p{Cc}/u);
            outcomes.refused++;
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(outcomes.loaded).to.be.above(10);
    expect(outcomes.refused).to.be.above(100);
  });
});
