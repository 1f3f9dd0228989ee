import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readOnnxWeights } from '../../../engine/onnx/weights';
import { sizeOf } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';

const file = (name: string) => readFileSync(join(__dirname, '..', '..', 'fixtures', name));

describe('readOnnxWeights', () => {
  it('gives what PyTorch exported, under its names', () => {
    const weights = readOnnxWeights(file('torch_export_weights.onnx'), 'a.onnx');
    const shapes: Record<string, readonly number[]> = {
      'conv1.weight': [2, 1, 3, 3],
      'bn1.weight': [2],
      'bn1.bias': [2],
      'bn1.running_mean': [2],
      'bn1.running_var': [2],
      'fc.weight': [3, 2],
      'fc.bias': [3],
    };
    expect([...weights.keys()]).to.include.members(Object.keys(shapes));
    for (const [name, shape] of Object.entries(shapes)) {
      const { dtype, shape: found, data } = weights.get(name)!;
      expect([dtype, ...found], name).to.deep.equal(['float32', ...shape]);
      // As test/fixtures/make_onnx.py filled them.
      const expected = Array.from({ length: sizeOf(shape) }, (_, i) => i / 8 + name.length);
      expect(Array.from(data, Number), name).to.deep.equal(expected);
    }
  });

  it('names a tensor whose values are cut off, and what is no model', () => {
    const bytes = file('torch_export_weights.onnx');
    expect(() => readOnnxWeights(bytes.subarray(0, 300), 'a.onnx')).to.throw(
      UserError,
      /^a\.onnx: not a valid ONNX model/,
    );
    expect(() => readOnnxWeights(Buffer.from('weights'), 'a.onnx')).to.throw(
      UserError,
      /^a\.onnx: not a valid ONNX model/,
    );
    // The shape [3] of fc.bias as [4]: dims are field 1, a varint.
    const at = bytes.indexOf('fc.bias', bytes.lastIndexOf('fc.bias') - 40);
    const changed = Buffer.from(bytes);
    const from = changed.lastIndexOf(Buffer.of(0x08, 3, 0x10, 1), at);
    changed[from + 1] = 4;
    expect(() => readOnnxWeights(changed, 'a.onnx')).to.throw(
      UserError,
      'a.onnx: "fc.bias" must have its 16 bytes in the file, got 12',
    );
    // Values (field 9) of a tensor "w" as a varint, where bytes belong: initializer is field 5 of the graph, the graph field 7.
    const tensor = [0x42, 1, 0x77, 0x10, 1, 0x48, 1];
    const graph = [0x2a, tensor.length, ...tensor];
    const model = Buffer.of(0x08, 8, 0x3a, graph.length, ...graph, 0x42, 2, 0x10, 17);
    expect(() => readOnnxWeights(model, 'a.onnx')).to.throw(
      UserError,
      'a.onnx: not a valid ONNX model: TensorProto: wire type 0 instead of 2',
    );
  });
});
