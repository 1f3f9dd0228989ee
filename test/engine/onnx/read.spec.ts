import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { Graph } from '../../../engine/graph';
import { ModelProto } from '../../../engine/onnx/proto';
import { readModel } from '../../../engine/onnx/read';
import { writeModel } from '../../../engine/onnx/write';
import { add, linear, pad } from '../../../engine/ops';
import { ndarray } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import { float32 } from '../../helpers/engine';
import { complaintOf } from '../../utils/rows';

/** y = x Wᵀ + 1 with zeros before and after; a counter that a step raises. */
function smallGraph(): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2, 3]);
  graph.input('labels', 'int32', [2]);
  const weight = graph.parameter('fc.weight', [4, 3], () => float32([4, 3], Array(12).fill(0.5)));
  const steps = graph.buffer('steps', 'int64', [], () => ndarray('int64', []));
  graph.update(steps, graph.emit('Add', [steps, graph.constant(ndarray('int64', [], BigInt64Array.of(1n)))], []));
  graph.output(
    'y',
    graph.scope('fc', () => pad(add(linear(x, weight), 1), 1, 2, 3)),
  );
  graph.output('gelu', graph.emit('Gelu', [x], x.shape, { domain: 'com.microsoft' }));
  return graph;
}

/** A model of the given fields around one node Relu: x → y. */
function encoded({ model = {}, graph = {} }: { model?: object; graph?: object } = {}): Uint8Array {
  const tensorType = { elemType: 1, shape: { dim: [{ dimValue: 2 }] } };
  return ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 18 }],
    graph: {
      node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
      input: [{ name: 'x', type: { tensorType } }],
      output: [{ name: 'y', type: { tensorType } }],
      ...graph,
    },
    ...model,
  }).finish();
}

/** An If in the branch of an If, and so on. */
function nestedIf(depth: number): object {
  const g = { node: depth === 0 ? [] : [nestedIf(depth - 1)], output: [{ name: 'inner' }] };
  return { opType: 'If', input: ['x'], output: ['y'], attribute: [{ name: 'then_branch', type: 5, g }] };
}

const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);

/** The bytes of a field of wire type 2: tag, length, content. */
const field = (id: number, content: readonly number[]) => [
  ...varint((id << 3) | 2),
  ...varint(content.length),
  ...content,
];

describe('readModel', () => {
  it('reads what writeModel wrote', () => {
    const model = readModel(writeModel(smallGraph()), 'small.onnx');
    expect(model.irVersion).to.equal(8);
    expect(model.producer).to.equal('distillery');
    expect([...model.opsets]).to.deep.equal([
      ['', 18],
      ['com.microsoft', 1],
    ]);
    expect(model.inputs).to.deep.equal([
      { name: 'x', dtype: 'float32', shape: [2, 3] },
      { name: 'labels', dtype: 'int32', shape: [2] },
      { name: 'fc.weight', dtype: 'float32', shape: [4, 3] },
      { name: 'steps', dtype: 'int64', shape: [] },
    ]);
    expect(model.outputs).to.deep.equal([
      { name: 'y', dtype: 'float32', shape: [2, 9] },
      { name: 'gelu', dtype: 'float32', shape: [2, 3] },
      { name: "steps'", dtype: 'int64', shape: [] },
    ]);
    expect(model.nodes.map(({ opType, domain }) => domain + opType)).to.deep.equal([
      'Add',
      'Gemm',
      'com.microsoftGelu',
      'Add',
      'Pad',
    ]);
    const padding = model.nodes[4]!;
    expect(padding.name).to.match(/^fc\/Pad/);
    expect(padding.inputs[0]).to.equal(model.nodes[3]!.outputs[0]);
    expect(padding.inputs[2]).to.equal('');
    expect(padding.outputs).to.deep.equal(['y']);
    const constants = [...model.initializers.values()];
    expect(constants).to.have.deep.members([
      { dtype: 'int64', shape: [] },
      { dtype: 'float32', shape: [] },
      { dtype: 'int64', shape: [4] },
    ]);
  });

  it('reads frozen weights as initializers and the open batch by its name', () => {
    const frozen = new Map([['fc.weight', float32([4, 3], new Float32Array(12))]]);
    const model = readModel(writeModel(smallGraph(), { frozen, dynamicBatch: true }), 'frozen.onnx');
    expect(model.initializers.get('fc.weight')).to.deep.equal({ dtype: 'float32', shape: [4, 3] });
    expect(model.inputs).to.deep.equal([
      { name: 'x', dtype: 'float32', shape: ['batch', 3] },
      { name: 'labels', dtype: 'int32', shape: ['batch'] },
      { name: 'steps', dtype: 'int64', shape: [] },
    ]);
    expect(model.outputs.map(({ shape }) => shape)).to.deep.equal([['batch', 9], ['batch', 3], []]);
  });

  const fixture = join(__dirname, '../../fixtures/torch_export.onnx');

  it("reads PyTorch's export", () => {
    expect(readModel(readFileSync(fixture), fixture)).to.deep.equal({
      irVersion: 7,
      opsets: new Map([['', 13]]),
      producer: 'pytorch 1.13.0',
      metadata: new Map(),
      inputs: [{ name: 'images', dtype: 'float32', shape: ['examples', 1, 6, 6] }],
      outputs: [{ name: 'logits', dtype: 'float32', shape: ['examples', 3] }],
      nodes: [
        {
          opType: 'Conv',
          domain: '',
          name: '/0/Conv',
          layer: '0',
          inputs: ['images', '0.weight'],
          outputs: ['/0/Conv_output_0'],
        },
        {
          opType: 'Relu',
          domain: '',
          name: '/1/Relu',
          layer: '1',
          inputs: ['/0/Conv_output_0'],
          outputs: ['/1/Relu_output_0'],
        },
        {
          opType: 'Flatten',
          domain: '',
          name: '/2/Flatten',
          layer: '2',
          inputs: ['/1/Relu_output_0'],
          outputs: ['/2/Flatten_output_0'],
        },
        {
          opType: 'Gemm',
          domain: '',
          name: '/3/Gemm',
          layer: '3',
          inputs: ['/2/Flatten_output_0', '3.weight', '3.bias'],
          outputs: ['logits'],
        },
      ],
      functionNodes: [],
      initializers: new Map([
        ['0.weight', { dtype: 'float32', shape: [2, 1, 3, 3] }],
        ['3.weight', { dtype: 'float32', shape: [3, 32] }],
        ['3.bias', { dtype: 'float32', shape: [3] }],
      ]),
    });
  });

  it('reads metadata, half precision, packed dimensions, and shapes that are open', () => {
    const open = { elemType: 10, shape: { dim: [{ dimParam: 'N' }, {}, { dimValue: 7 }] } };
    const graph = {
      input: [
        { name: 'x', type: { tensorType: open } },
        { name: 'any', type: { tensorType: { elemType: 16 } } },
      ],
      initializer: [{ name: 'w', dataType: 1, dims: [2, 300] }],
    };
    const model = { metadataProps: [{ key: 'classes', value: 'čáp' }, { key: 'empty' }], producerVersion: '2' };
    const unpacked = encoded({ model, graph });
    const read = readModel(unpacked, 'open.onnx');
    expect(read.inputs).to.deep.equal([
      { name: 'x', dtype: 'float16', shape: ['N', '?', 7] },
      { name: 'any', dtype: 'bfloat16', shape: undefined },
    ]);
    expect([...read.metadata]).to.deep.equal([
      ['classes', 'čáp'],
      ['empty', ''],
    ]);
    const packed = Buffer.from(unpacked).toString('hex').replace('080208ac02', '0a0302ac02');
    expect(packed).not.to.equal(Buffer.from(unpacked).toString('hex'));
    expect(readModel(Buffer.from(packed, 'hex'), 'packed.onnx')).to.deep.equal(read);
    expect(read.initializers.get('w')).to.deep.equal({ dtype: 'float32', shape: [2, 300] });
  });

  it('tells what is no tensor, and takes axes of −1 for open ones', () => {
    const dim = [{ dimValue: -1 }, { dimValue: 3 }];
    const bytes = encoded({
      graph: {
        input: [{ name: 'x', type: { tensorType: { elemType: 1, shape: { dim } } } }],
        output: [
          { name: 'parts', type: { sequenceType: Uint8Array.of(10, 0) } },
          { name: 'table', type: { mapType: Uint8Array.of(8, 7) } },
          { name: 'untold' },
        ],
      },
    });
    const { inputs, outputs } = readModel(bytes, 'x.onnx');
    expect(inputs[0]!.shape).to.deep.equal(['?', 3]);
    expect(outputs.map(({ dtype }) => dtype)).to.deep.equal(['sequence', 'map', 'unknown']);
  });

  it('reads the graphs inside of nodes', () => {
    const [node] = readModel(encoded({ graph: { node: [nestedIf(1)] } }), 'x.onnx').nodes;
    expect(node!.bodies).to.deep.equal([
      {
        nodes: [
          {
            opType: 'If',
            domain: '',
            name: '',
            inputs: ['x'],
            outputs: ['y'],
            bodies: [{ nodes: [], outputs: ['inner'] }],
          },
        ],
        outputs: ['inner'],
      },
    ]);
  });

  it('tells in which other file the values of weights are', () => {
    const externalData = [
      { key: 'offset', value: '8' },
      { key: 'location', value: 'w.bin' },
    ];
    const initializer = [{ name: 'w', dataType: 1, dims: [2], dataLocation: 1, externalData }];
    expect([...readModel(encoded({ graph: { initializer } }), 'x').initializers]).to.deep.equal([
      ['w', { dtype: 'float32', shape: [2], file: 'w.bin' }],
    ]);
  });

  it('leaves out inputs that an initializer gives, as models of old list them', () => {
    const initializer = [{ name: 'x', dataType: 1, dims: [2] }];
    expect(readModel(encoded({ graph: { initializer } }), 'old.onnx').inputs).to.deep.equal([]);
  });

  it("takes ai.onnx for ONNX's own domain", () => {
    const model = { opsetImport: [{ domain: 'ai.onnx', version: 21 }] };
    expect([...readModel(encoded({ model }), 'x.onnx').opsets]).to.deep.equal([['', 21]]);
  });

  const weight = { name: 'w', dataType: 1, dims: [2] };
  const refused: [what: string, bytes: Uint8Array, complaint: string][] = [
    ['two graphs', Uint8Array.from([...encoded(), ...field(7, [])]), 'not a valid ONNX model: it has two graphs'],
    [
      'graphs nested without end',
      encoded({ graph: { node: [nestedIf(17)] } }),
      'not a valid ONNX model: graphs are nested more than 16 deep',
    ],
    ['an empty file', new Uint8Array(), 'not a valid ONNX model: it has no IR version'],
    ['a model without a graph', encoded({ model: { graph: undefined } }), 'not a valid ONNX model: it has no graph'],
    [
      'a domain that is not imported',
      encoded({ graph: { node: [{ opType: 'Gelu', name: 'g', domain: 'com.microsoft' }] } }),
      'not a valid ONNX model: node "g" ("Gelu") needs the domain "com.microsoft", not imported',
    ],
    [
      'an unknown element type',
      encoded({ graph: { initializer: [{ ...weight, dataType: 99 }] } }),
      'not a valid ONNX model: "w" has the unknown element type 99',
    ],
    [
      'a negative axis',
      encoded({ graph: { initializer: [{ ...weight, dims: [-2] }] } }),
      'not a valid ONNX model: "w" has an axis of -2',
    ],
    [
      'two initializers of one name',
      encoded({ graph: { initializer: [weight, weight] } }),
      'not a valid ONNX model: two initializers have the same name',
    ],
    [
      'an initializer without a name',
      encoded({ graph: { initializer: [{ dataType: 1 }] } }),
      'not a valid ONNX model: an initializer has no name',
    ],
    [
      'an output without a name',
      encoded({ graph: { output: [{}] } }),
      'not a valid ONNX model: an input or output has no name',
    ],
    [
      'a node without an operator',
      encoded({ graph: { node: [{ name: 'n' }] } }),
      'not a valid ONNX model: node "n" has no operator',
    ],
    [
      'a number where a text belongs',
      Uint8Array.from([8, 8, ...field(7, field(1, [4 << 3, 1]))]),
      'not a valid ONNX model: NodeProto: wire type 0 instead of 2',
    ],
    [
      'a text that is not UTF-8',
      Uint8Array.from([8, 8, ...field(7, field(1, field(4, [0xff])))]),
      'not a valid ONNX model: NodeProto: ',
    ],
    [
      'a length beyond the file',
      Uint8Array.of(8, 8, (7 << 3) | 2, 9, 0),
      'not a valid ONNX model: ModelProto: index out of range: 4 + 9 > 5',
    ],
    [
      'groups nested without end',
      new Uint8Array(100_000).fill((9 << 3) | 3),
      'not a valid ONNX model: ModelProto: max depth exceeded',
    ],
    [
      'more axes than any tensor has',
      Uint8Array.from([8, 8, ...field(7, field(5, field(1, Array<number>(65).fill(1))))]),
      'not a valid ONNX model: more than 64 axes',
    ],
    [
      'more nodes than any model has',
      encoded({ graph: { node: Array<object>(2 ** 18 + 1).fill({ opType: 'Relu' }) } }),
      'not a valid ONNX model: more than 262144 entries in node',
    ],
  ];
  for (const [what, bytes, complaint] of refused) {
    it(`refuses ${what}`, async () => {
      const said = await complaintOf('x.onnx', () => readModel(bytes, 'x.onnx'));
      expect(said.slice(0, complaint.length)).to.equal(complaint);
    });
  }

  it('refuses a file cut off anywhere', async () => {
    const bytes = readFileSync(fixture);
    for (let length = 0; length < bytes.length; length++) {
      const complaint = await complaintOf('cut', () => readModel(bytes.subarray(0, length), 'cut'));
      expect(complaint, `${length} bytes`).to.match(/^not a valid ONNX model: /);
    }
  });

  it('survives flipped bits', () => {
    const original = Uint8Array.from(readFileSync(fixture));
    fc.assert(
      fc.property(fc.array(fc.nat(8 * original.length - 1), { minLength: 1, maxLength: 3 }), (bits) => {
        const bytes = original.slice();
        for (const bit of bits) bytes[bit >> 3]! ^= 1 << (bit & 7);
        try {
          expect(readModel(bytes, 'x').nodes.length).to.be.at.most(original.length);
        } catch (error) {
          expect(error).to.be.instanceOf(UserError);
          expect((error as UserError).message).to.match(/^x: .+$/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
