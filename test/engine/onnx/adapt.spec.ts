/** Models of others brought to one form; what comes of whole files is in test/model/teachers/onnx_kinds.spec.ts. */
import { expect } from 'chai';
import { adapt, type Ends } from '../../../engine/onnx/adapt';
import { ModelProto } from '../../../engine/onnx/proto';
import { readModel } from '../../../engine/onnx/read';
import { complaintOf } from '../../utils/rows';

const value = (name: string, elemType = 1) => ({
  name,
  type: { tensorType: { elemType, shape: { dim: [{ dimParam: 'N' }, { dimValue: 4 }] } } },
});

/** A model from x (N, 4) to y, and what else is given. */
function modelOf(node: object[], more: object = {}): Uint8Array {
  const graph = { name: 'g', node, input: [value('x')], output: [value('y')], ...more };
  return ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: '', version: 13 }], graph }).finish();
}

const relu = { opType: 'Relu', input: ['x'], output: ['y'] };

function adapted(bytes: Uint8Array, dtype: Ends['input']['dtype'] = 'float32', output = 'y', outputType = 'float32') {
  const model = readModel(bytes, 'a.onnx');
  return adapt(
    bytes,
    model,
    { input: { ...model.inputs[0]!, dtype }, outputs: [{ name: output, dtype: outputType }] },
    'a.onnx',
  );
}

describe('adapt', () => {
  it('leaves a model as it is that has this form', () => {
    expect(adapted(modelOf([relu]))).to.deep.equal({ bytes: undefined, input: 'x', outputs: ['y'], remarks: [] });
  });

  it('casts at both ends, with the axes of the input, under names that nothing has', () => {
    const taken = { opType: 'Neg', input: ['x'], output: ['x_float32'] };
    const {
      bytes,
      input,
      outputs: [output],
    } = adapted(modelOf([taken, relu]), 'float16', 'y', 'float64');
    expect([input, output]).to.deep.equal(["x_float32'", 'y_float32']);
    const { inputs, outputs, nodes } = readModel(bytes!, 'b.onnx');
    expect(inputs).to.deep.equal([{ name: input, dtype: 'float32', shape: ['N', 4] }]);
    expect(outputs).to.deep.equal([{ name: output, dtype: 'float32', shape: undefined }]);
    expect(nodes.map(({ opType, inputs: [from], outputs: [to] }) => [opType, from, to])).to.deep.equal([
      ['Cast', input, 'x'],
      ['Relu', 'x', 'y'],
      ['Cast', 'y', output],
    ]);
  });

  it('leaves out what the output does not depend on, and nothing that a graph inside of a node reads', () => {
    const aside = { opType: 'Exp', input: ['x'], output: ['aside'] };
    const around = { opType: 'Neg', input: ['x'], output: ['around'] };
    const g = {
      name: 'then',
      node: [{ opType: 'Relu', input: ['around'], output: ['inner'] }],
      output: [{ name: 'inner' }],
    };
    const branches = ['then_branch', 'else_branch'].map((name) => ({ name, type: 5, g }));
    const choice = { opType: 'If', input: ['flag'], output: ['y'], attribute: branches };
    const initializer = [{ name: 'flag', dataType: 9, rawData: Uint8Array.of(1) }];
    const { bytes } = adapted(modelOf([aside, around, choice], { initializer, output: [value('aside'), value('y')] }));
    expect(readModel(bytes!, 'b.onnx').nodes.map(({ opType }) => opType)).to.deep.equal(['Neg', 'If']);
  });

  it('keeps fields that are not known here', () => {
    const own = modelOf([relu], { output: [value('y'), value('x')] });
    // Field 6 of a node is its text, which has no name in our messages.
    const text = Buffer.from('3204' + Buffer.from('kept').toString('hex'), 'hex');
    const hex = Buffer.from(own).toString('hex');
    const node = Buffer.from(ModelProto.root.lookupType('NodeProto').encode(relu).finish());
    const before = Buffer.from([0x0a, node.length, ...node]).toString('hex');
    expect(hex).to.include(before);
    const longer = Buffer.from([0x0a, node.length + text.length, ...node, ...text]).toString('hex');
    const graphAt = hex.indexOf('3a');
    const length = parseInt(hex.slice(graphAt + 2, graphAt + 4), 16) + text.length;
    const changed = hex.slice(0, graphAt) + '3a' + length.toString(16) + hex.slice(graphAt + 4).replace(before, longer);
    const { bytes } = adapted(new Uint8Array(Buffer.from(changed, 'hex')));
    expect(Buffer.from(bytes!).includes(text)).to.equal(true);
  });

  it('refuses in one line a flag of Dropout that is damaged', async () => {
    const drop = { opType: 'Dropout', input: ['x', '', 'flag'], output: ['y'] };
    const bytes = modelOf([drop], { initializer: [{ name: 'flag', dataType: 9, int32Data: [1, 1] }] });
    // Both values in one field of a length that is beyond its end.
    const hex = Buffer.from(bytes).toString('hex');
    expect(hex).to.include('28012801');
    const damaged = Buffer.from(hex.replace('28012801', '2a0280ff'), 'hex');
    const complaint = await complaintOf('a.onnx', () => adapted(new Uint8Array(damaged)));
    expect(complaint).to.match(/^not a valid ONNX model: /);
  });
});
