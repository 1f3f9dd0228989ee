/**
 * Networks that PyTorch exported, by both of its exporters, trained here: what they come to beside PyTorch in float64
 * (test/fixtures/make_foreign_students.py); and what is refused.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { ModelProto } from '../../../engine/onnx/proto';
import { ForeignNetwork } from '../../../engine/onnx/trainable/network';
import { Layers } from '../../../model/nets/layers';
import { netOfOnnx } from '../../../model/nets/onnx_net';
import { compareWithPytorch } from '../../helpers/foreign_students';
import { complaintOf } from '../../utils/rows';

const folder = join(__dirname, '../../fixtures/foreign_students');
const file = (name: string) => join(folder, `${name}.onnx`);

interface NodeProto {
  readonly name?: string;
  readonly opType: string;
  readonly domain?: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
}

const initializer = (name: string, dims: readonly number[], values: readonly number[]) => ({
  name,
  dims,
  dataType: 1,
  floatData: values,
});

const floats = (name: string, shape: readonly (number | string)[]) => ({
  name,
  type: {
    tensorType: {
      elemType: 1,
      shape: { dim: shape.map((n) => (typeof n === 'number' ? { dimValue: n } : { dimParam: n })) },
    },
  },
});

function modelOf(
  node: readonly object[],
  initializers: readonly object[] = [],
  functions: readonly object[] = [],
  opset = 17,
): Uint8Array {
  const message = {
    irVersion: 8,
    opsetImport: [
      { domain: '', version: opset },
      { domain: 'own', version: 1 },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'g',
      node,
      initializer: initializers,
      input: [floats('x', ['n', 3, 4, 4])],
      output: [floats('y', ['n', 2])],
    },
    functions,
  };
  return ModelProto.encode(ModelProto.fromObject(message)).finish();
}

describe('networks from ONNX files, trained', () => {
  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'trainable-'))));
  after(() => rmSync(scratch, { recursive: true }));

  const written = (bytes: Uint8Array) => {
    const path = join(scratch, 'model.onnx');
    writeFileSync(path, bytes);
    return path;
  };
  const built = (path: string, mode: 'train' | 'eval' = 'train', batch = 2) => {
    const graph = new Graph();
    const images = graph.input('images', 'float32', [batch, 3, 4, 4]);
    netOfOnnx(ForeignNetwork.read(path), 'file')(new Layers(graph, { mode, seed: 0 }), images, {
      classes: 2,
      numChannels: 0,
      dropoutRate: 0,
    });
    return graph;
  };

  it('are trained as by Flax where jax2onnx exported them: numbers are constants', async () => {
    const { errors, parameters } = await compareWithPytorch(file('flax_cnn'), join(folder, 'flax_cnn.safetensors'));
    // 224 and 1,168 of the convolutions, 32 of the norm, 170 of the head.
    expect(parameters).to.equal(1594);
    expect(errors.logits).to.be.below(1e-6);
    expect(errors.losses).to.be.below(1e-6);
  });

  it('keep the statistics of a BatchNorm that is written as arithmetic', () => {
    const channels = (name: string, values: readonly number[]) => initializer(name, [1, 3, 1, 1], values);
    const bytes = modelOf(
      [
        { opType: 'Add', input: ['variance', 'epsilon'], output: ['v'] },
        { opType: 'Sqrt', input: ['v'], output: ['s'] },
        { opType: 'Neg', input: ['mean'], output: ['m'] },
        { opType: 'Add', input: ['x', 'm'], output: ['c'] },
        { opType: 'Div', input: ['c', 's'], output: ['d'] },
        { opType: 'Mul', input: ['d', 'gamma'], output: ['g'] },
        { opType: 'GlobalAveragePool', input: ['g'], output: ['p'] },
        { opType: 'Flatten', input: ['p'], output: ['f'] },
        { opType: 'MatMul', input: ['f', 'w'], output: ['y'] },
      ],
      [
        channels('variance', [1, 2, 3]),
        channels('mean', [1, 1, 1]),
        channels('gamma', [1, 1, 1]),
        initializer('epsilon', [], [0.001]),
        initializer('w', [3, 2], [1, 2, 3, 4, 5, 6]),
      ],
    );
    const graph = built(written(bytes));
    expect([...graph.states.keys()]).to.have.members(['gamma', 'w']);
  });

  it('train what is added to images and negated, of the length of a variance too', () => {
    const channels = (name: string) => initializer(name, [1, 3, 1, 1], [1, 2, 3]);
    const bytes = modelOf(
      [
        { opType: 'Sqrt', input: ['variance'], output: ['s'] },
        { opType: 'Add', input: ['x', 'bias'], output: ['b'] },
        { opType: 'Neg', input: ['b'], output: ['n'] },
        { opType: 'Div', input: ['n', 's'], output: ['d'] },
        { opType: 'GlobalAveragePool', input: ['d'], output: ['p'] },
        { opType: 'Flatten', input: ['p'], output: ['f'] },
        { opType: 'MatMul', input: ['f', 'w'], output: ['y'] },
      ],
      [channels('variance'), channels('bias'), initializer('w', [3, 2], [1, 2, 3, 4, 5, 6])],
    );
    expect([...built(written(bytes)).states.keys()]).to.have.members(['bias', 'w']);
  });

  for (const name of ['tiny_mobilenet', 'tiny_convnext', 'tiny_vit', 'tiny_swin']) {
    it(`${name}: logits, losses, every gradient and ten steps are PyTorch's`, async () => {
      const { errors } = await compareWithPytorch(file(name), join(folder, `${name}.safetensors`));
      for (const [key, error] of Object.entries(errors)) expect(error, key).to.be.below(2e-5);
    });
  }

  const pool = [
    { opType: 'GlobalAveragePool', input: ['z'], output: ['p'] },
    { opType: 'Flatten', input: ['p'], output: ['f'] },
    {
      opType: 'Gemm',
      name: 'head',
      input: ['f', 'head.weight'],
      output: ['y'],
      attribute: [{ name: 'transB', type: 2, i: 1 }],
    },
  ];
  const head = initializer('head.weight', [2, 3], [1, 2, 3, 4, 5, 6]);

  it('names its parameters as the file does, and BatchNorm has the buffers of PyTorch', () => {
    const node = [
      {
        opType: 'BatchNormalization',
        name: 'bn',
        input: ['x', 'bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var'],
        output: ['z'],
      },
      ...pool,
    ];
    const vectors = ['weight', 'bias', 'running_mean', 'running_var'].map((key) =>
      initializer(`bn.${key}`, [3], [1, 2, 3]),
    );
    const graph = built(written(modelOf(node, [...vectors, head])));
    const trained = [...graph.states].filter(([, { trainable }]) => trainable).map(([name]) => name);
    expect(trained).to.deep.equal(['bn.weight', 'bn.bias', 'head.weight']);
    expect([...graph.states.keys()]).to.include.members([
      'bn.running_mean',
      'bn.running_var',
      'bn.num_batches_tracked',
    ]);
    expect([...graph.updates.keys()]).to.have.members(['bn.running_mean', 'bn.running_var', 'bn.num_batches_tracked']);
    expect(built(written(modelOf(node, [...vectors, head])), 'eval').updates.size).to.equal(0);
  });

  it('gives a parameter that an exporter merged with an equal one a life of its own', () => {
    const node = [
      { opType: 'Identity', input: ['a.weight'], output: ['b.weight'] },
      { opType: 'Mul', input: ['x', 'a.weight'], output: ['h'] },
      { opType: 'Mul', input: ['h', 'b.weight'], output: ['z'] },
      ...pool,
    ];
    const graph = built(written(modelOf(node, [initializer('a.weight', [3, 1, 1], [1, 1, 1]), head])));
    expect([...graph.states.keys()]).to.deep.equal(['a.weight', 'b.weight', 'head.weight']);
  });

  it('puts the nodes of a function in the place of its call, with the attributes that it is called with', () => {
    const body = {
      name: 'Leaky',
      domain: 'own',
      input: ['a'],
      output: ['c'],
      node: [
        {
          opType: 'LeakyRelu',
          input: ['a'],
          output: ['b'],
          attribute: [{ name: 'alpha', type: 1, refAttrName: 'slope' }],
        },
        { opType: 'Neg', input: ['b'], output: ['c'] },
      ],
    };
    const call = (slope: number) => ({
      opType: 'Leaky',
      domain: 'own',
      attribute: [{ name: 'slope', type: 1, f: slope }],
    });
    const node = [
      { ...call(0.5), input: ['x'], output: ['h'] },
      { ...call(0.25), input: ['h'], output: ['z'] },
      ...pool,
    ];
    const slopes = built(written(modelOf(node, [head], [body]))).nodes.filter(({ opType }) => opType === 'LeakyRelu');
    expect(slopes.map(({ attributes }) => attributes.alpha)).to.deep.equal([{ float: 0.5 }, { float: 0.25 }]);
  });

  it('says what was folded away, and what is shared', () => {
    const convolutions = [0, 1, 2, 3].map((i) => ({
      opType: 'Conv',
      input: [i === 0 ? 'x' : `h${i}`, 'w', `b${i}`],
      output: [i === 3 ? 'z' : `h${i + 1}`],
    }));
    const weights = [
      initializer('w', [3, 3, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
      ...[0, 1, 2, 3].map((i) => initializer(`b${i}`, [3], [1, 2, i])),
    ];
    const { remarks } = ForeignNetwork.read(written(modelOf([...convolutions, ...pool], [...weights, head])));
    expect(remarks).to.have.length(2);
    expect(remarks[0]).to.match(
      /^has 4 convolutions with biases and no normalization, .* it trains, but without BatchNorm/,
    );
    expect(remarks[1]).to.match(/^several layers share the parameter "w" and train it together/);
  });

  it('refuses what cannot be trained in one line that names operator, node and what to do', async () => {
    const path = join(scratch, 'model.onnx');
    const refusal = (first: NodeProto, initializers: readonly object[] = []) =>
      complaintOf(path, () => built(written(modelOf([first, ...pool], [...initializers, head]))));
    const node = (opType: string, domain = '') => ({ opType, domain, name: 'odd', input: ['x'], output: ['z'] });
    expect(await refusal(node('QuantizeLinear'))).to.equal(
      '"QuantizeLinear" of the name "odd" is quantised: train the float32 file that it was made from',
    );
    expect(await refusal(node('Loop'))).to.match(
      /^"Loop" of the name "odd" is control flow: export it with fixed sizes/,
    );
    expect(await refusal(node('SplitToSequence'))).to.match(/makes a sequence: export a network that gives tensors/);
    expect(await refusal(node('RandomNormalLike'))).to.match(/draws random numbers: export it with model.eval\(\)/);
    expect(await refusal(node('NonZero'))).to.match(/^"NonZero" of the name "odd" has no gradient here: replace this/);
    expect(await refusal(node('FusedConv', 'com.microsoft'))).to.match(
      /no gradient here, as no operator of the domain "com.microsoft" has/,
    );
    const narrow = initializer('w', [4, 2, 1, 1], new Array<number>(8).fill(1));
    expect(await refusal({ ...node('Conv'), input: ['x', 'w'] }, [narrow])).to.match(
      /^"Conv" of the name "odd": conv2d: input \[2, 3, 4, 4\] does not fit weight \[4, 2, 1, 1\] in 1 group/,
    );
    expect(await refusal({ ...node('Relu'), input: ['nothing'] })).to.match(
      /^"Relu" of the name "odd": reads "nothing", which nothing makes before/,
    );
  });

  it('reads weights in a file beside it, and none outside of its folder', async () => {
    const model = ModelProto.toObject(ModelProto.decode(readFileSync(file('tiny_vit'))), { bytes: Buffer }) as {
      graph: { initializer: { rawData?: Buffer; dataLocation?: number; externalData?: object[] }[] };
    };
    const chunks: Buffer[] = [];
    for (const tensor of model.graph.initializer) {
      const offset = chunks.reduce((sum, { length }) => sum + length, 0);
      chunks.push(tensor.rawData!);
      const place = { location: 'weights.bin', offset, length: tensor.rawData!.length };
      tensor.externalData = Object.entries(place).map(([key, value]) => ({ key, value: String(value) }));
      tensor.dataLocation = 1;
      delete tensor.rawData;
    }
    writeFileSync(join(scratch, 'weights.bin'), Buffer.concat(chunks));
    const path = written(ModelProto.encode(ModelProto.fromObject(model)).finish());
    const valuesOf = (from: string) => {
      const graph = new Graph();
      const images = graph.input('images', 'float32', [1, 3, 16, 16]);
      netOfOnnx(ForeignNetwork.read(from), 'file')(new Layers(graph, { mode: 'eval', seed: 0 }), images, {
        classes: 10,
        numChannels: 0,
        dropoutRate: 0,
      });
      return [...graph.states.values()].map(({ initial }) => Array.from(initial().data, Number));
    };
    expect(valuesOf(path)).to.deep.equal(valuesOf(file('tiny_vit')));
    writeFileSync(join(scratch, '..', 'outside.bin'), Buffer.concat(chunks));
    for (const tensor of model.graph.initializer) {
      tensor.externalData = [{ key: 'location', value: '../outside.bin' }];
    }
    const outside = written(ModelProto.encode(ModelProto.fromObject(model)).finish());
    expect(await complaintOf(outside, () => ForeignNetwork.read(outside))).to.equal(
      'its weights are in "../outside.bin", which is outside its folder',
    );
    rmSync(join(scratch, '..', 'outside.bin'));
  });
});
