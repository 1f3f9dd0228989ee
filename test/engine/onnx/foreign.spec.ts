import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ForeignModel } from '../../../engine/onnx/foreign';
import { ModelProto } from '../../../engine/onnx/proto';
import { float32 } from '../../helpers/engine';
import { complaintOf } from '../../utils/rows';

const value = (name: string, shape?: readonly (number | string)[]) => {
  const dim = shape?.map((length) => (typeof length === 'number' ? { dimValue: length } : { dimParam: length }));
  return { name, type: { tensorType: { elemType: 1, ...(dim && { shape: { dim } }) } } };
};
const integers = (name: string, ...values: number[]) => ({
  name,
  dims: [values.length],
  dataType: 7,
  int64Data: values,
});
const scalar = (name: string, x: number) => ({ name, dims: [], dataType: 1, floatData: [x] });

/** A model from x (N, 2) to y through these nodes. */
function modelOf(node: object[], initializer: object[] = []): Uint8Array {
  const graph = { name: 'g', node, initializer, input: [value('x', ['N', 2])], output: [value('y')] };
  return ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: '', version: 13 }], graph }).finish();
}

describe('ForeignModel', () => {
  let path: string;
  before(() => (path = join(mkdtempSync(join(tmpdir(), 'foreign-')), 'x.onnx')));
  after(() => rmSync(join(path, '..'), { recursive: true }));

  const open = (bytes: Uint8Array) => {
    writeFileSync(path, bytes);
    return ForeignModel.open(path, 1);
  };

  it('tells inputs and outputs, and computes', async () => {
    const model = await open(modelOf([{ opType: 'Relu', input: ['x'], output: ['y'] }]));
    expect(model.inputs).to.deep.equal([{ name: 'x', dtype: 'float32', shape: ['N', 2] }]);
    expect(model.outputs).to.deep.equal([{ name: 'y', dtype: 'float32', shape: undefined }]);
    const [y] = await model.run({ x: float32([2, 2], [1, -2, -3, 4]) }, ['y']);
    expect(y).to.deep.equal(float32([2, 2], [1, 0, 0, 4]));
    await model.release();
  });

  it('may hold values that are not tensors, and outputs that nothing reads', async () => {
    const split = [
      { opType: 'SplitToSequence', input: ['x'], output: ['parts'], attribute: [{ name: 'axis', type: 2, i: 1 }] },
      {
        opType: 'ConcatFromSequence',
        input: ['parts'],
        output: ['again'],
        attribute: [{ name: 'axis', type: 2, i: 1 }],
      },
      { opType: 'Dropout', input: ['again'], output: ['y', 'mask'] },
    ];
    const model = await open(modelOf(split));
    const x = float32([1, 2], [5, 6]);
    expect(await model.run({ x }, ['y'])).to.deep.equal([x]);
    await model.release();
  });

  it('names the input that does not fit', async () => {
    const model = await open(modelOf([{ opType: 'Relu', input: ['x'], output: ['y'] }]));
    const complaint = await complaintOf(path, () => model.run({ x: float32([1, 3], [1, 2, 3]) }, ['y']));
    expect(complaint).to.match(/^ONNX Runtime cannot run it: .*x/);
    await model.release();
  });

  describe('refuses to compute what would not fit into memory:', () => {
    const sum = {
      opType: 'ReduceMax',
      input: ['big'],
      output: ['most'],
      attribute: [{ name: 'keepdims', type: 2, i: 0 }],
    };
    const add = { opType: 'Add', input: ['x', 'most'], output: ['y'] };
    const million = 1_000_000;
    const bombs: [opType: string, input: string[], initializer: object[], elements: number][] = [
      ['ConstantOfShape', ['shape'], [integers('shape', million, million)], 1e12],
      ['Expand', ['one', 'shape'], [scalar('one', 1), integers('shape', million, 1000)], 1e9],
      ['Pad', ['x', 'pads'], [integers('pads', 0, 0, 0, 2 ** 40)], 2 ** 40 + 2],
      ['Tile', ['x', 'repeats'], [integers('repeats', 1, 2 ** 30)], 2 ** 31],
      ['Resize', ['x', '', '', 'sizes'], [integers('sizes', 1000, million)], 1e9],
      ['Range', ['from', 'to', 'by'], [scalar('from', 0), scalar('to', 1e9), scalar('by', 1)], 1e9],
    ];
    for (const [opType, input, initializer, elements] of bombs) {
      it(opType, async () => {
        const bytes = modelOf([{ opType, input, output: ['big'] }, sum, add], initializer);
        expect(await complaintOf(path, () => open(bytes))).to.equal(
          `computes "big" of ${elements} elements, accepted are up to ${2 ** 27}`,
        );
      });
    }
  });
});
