import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readBytes } from '../../formats/binary';
import { matchStateDict, readWeights } from '../../formats/checkpoints';
import { ndarray, type NamedArrays, type NdArray, type TensorSpec } from '../../formats/ndarray';
import { parseTorchCheckpoint } from '../../formats/pytorch/index';
import { readSafetensors, writeSafetensors } from '../../formats/safetensors';
import { damage } from '../helpers/runs';
import { complaintOf, rowsOf } from '../utils/rows';

const zeros = (shapes: Record<string, number[]>): NamedArrays =>
  new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      ndarray(name.endsWith('num_batches_tracked') ? 'int64' : 'float32', shape),
    ]),
  );

describe('readWeights', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'weights-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('goes by the content of a file, not by its name', async () => {
    const misleading = join(folder, 'a.pt');
    copyFileSync('test/fixtures/kinds.safetensors', misleading);
    expect(rowsOf(await readWeights(misleading))).to.deep.equal(rowsOf(readSafetensors(misleading).tensors));

    for (const format of ['zip', 'legacy']) {
      const path = join(folder, `${format}.safetensors`);
      copyFileSync(`test/fixtures/torch/kinds.${format}.pt`, path);
      expect(rowsOf(await readWeights(path))).to.deep.equal(rowsOf(await parseTorchCheckpoint(readBytes(path), path)));
    }
  });

  it("leaves out what an optimizer keeps in a run's own checkpoint", async () => {
    const path = join(folder, 'last.safetensors');
    writeSafetensors(path, zeros({ 'fc.bias': [10], 'optimizer.exp_avg.fc.bias': [10] }));
    expect([...(await readWeights(path)).keys()]).to.deep.equal(['fc.bias']);
  });

  it('refuses a file of ours that has changed, and takes one of an earlier version, without a hash', async () => {
    const path = join(folder, 'best.safetensors');
    writeSafetensors(path, zeros({ 'fc.bias': [10] }));
    damage(path);
    expect(await complaintOf(path, () => readWeights(path))).to.match(/^not a valid safetensors file: it is damaged: /);
    const header = Buffer.from('{"fc.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
    const length = Buffer.of(header.length, 0, 0, 0, 0, 0, 0, 0);
    writeFileSync(path, Buffer.concat([length, header, Buffer.alloc(4)]));
    expect([...(await readWeights(path)).keys()]).to.deep.equal(['fc.bias']);
  });

  it('refuses other files, and names one that is missing', async () => {
    const path = join(folder, 'a.pt');
    expect(await complaintOf(path, () => readWeights(path))).to.equal('no such file');
    writeFileSync(path, 'hello world');
    expect(await complaintOf(path, () => readWeights(path))).to.contain('neither a safetensors file nor a PyTorch');
    writeFileSync(path, '');
    expect(await complaintOf(path, () => readWeights(path))).to.contain('neither a safetensors file nor a PyTorch');
  });
});

describe('fitWeights', () => {
  const expected = new Map<string, TensorSpec>([
    ['conv1.weight', { dtype: 'float32', shape: [16, 3, 3, 3] }],
    ['bn1.num_batches_tracked', { dtype: 'int64', shape: [] }],
    ['fc.bias', { dtype: 'float32', shape: [10] }],
  ]);

  it('goes by the types of the network, whatever they are', () => {
    const weights: NamedArrays = new Map<string, NdArray>([
      ['labels', ndarray('int32', [4])],
      ['shares', ndarray('float64', [4])],
      ['isKnown', ndarray('bool', [4])],
    ]);
    expect([...matchStateDict('x', weights, new Map(weights))]).to.deep.equal([...weights]);
  });

  it('gives the tensors of the network in its order', () => {
    const weights = zeros({ 'fc.bias': [10], 'bn1.num_batches_tracked': [], 'conv1.weight': [16, 3, 3, 3] });
    const fitting = matchStateDict('x', weights, expected);
    expect([...fitting.keys()]).to.deep.equal([...expected.keys()]);
    for (const [name, array] of fitting) expect(array).to.equal(weights.get(name));
  });

  it('takes a missing counter of batches for 0, and leaves a surplus one out', () => {
    const without = zeros({ 'conv1.weight': [16, 3, 3, 3], 'fc.bias': [10] });
    const other = new Map([...without, ['bn2.num_batches_tracked', ndarray('int64', [])] as const]);
    for (const weights of [without, other]) {
      const fitting = matchStateDict('x', weights, expected);
      expect([...fitting.keys()]).to.deep.equal([...expected.keys()]);
      expect(fitting.get('bn1.num_batches_tracked')).to.deep.equal(ndarray('int64', []));
    }
  });

  it('names what is of another type', async () => {
    const weights: NamedArrays = new Map<string, NdArray>([
      ['conv1.weight', ndarray('int32', [16, 3, 3, 3])],
      ['bn1.num_batches_tracked', ndarray('float32', [], Float32Array.of(0.5))],
      ['fc.bias', ndarray('float32', [10])],
    ]);
    expect(await complaintOf('x', () => matchStateDict('x', weights, expected))).to.equal(
      'does not fit the network: 2 with another type (conv1.weight: file int32, network float32, ' +
        'bn1.num_batches_tracked: file float32, network int64)',
    );
  });

  it('names what is missing, unexpected and of another shape', async () => {
    const weights = zeros({ 'linear.weight': [1], 'linear.bias': [1], 'conv1.weight': [16, 3, 3, 3] });
    const network = zeros({
      'conv1.weight': [32, 3, 3, 3],
      ...Object.fromEntries(['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'].map((name) => [name, [1]])),
    });
    expect(await complaintOf('a.pt', () => matchStateDict('a.pt', weights, network))).to.equal(
      'does not fit the network: 4 missing (fc1.weight, fc1.bias, fc2.weight, …), ' +
        '2 unexpected (linear.weight, linear.bias), ' +
        '1 with another shape (conv1.weight: file [16,3,3,3], network [32,3,3,3])',
    );
  });

  it('compares shapes, not numbers of elements or leading axes', async () => {
    for (const shape of [[], [10, 1], [1, 10], [2, 5]]) {
      const complaint = await complaintOf('x', () => matchStateDict('x', zeros({ a: shape }), zeros({ a: [10] })));
      expect(complaint).to.contain(`1 with another shape (a: file [${shape.join(',')}], network [10])`);
    }
  });

  it('keeps a strange name on one line', async () => {
    const complaint = await complaintOf('x', () => matchStateDict('x', zeros({ 'a\nb': [1] }), new Map()));
    expect(complaint).to.equal('does not fit the network: 1 unexpected ("a\\nb")');
  });
});
