import { expect } from 'chai';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fitWeights, readWeights } from '../../utils/checkpoints';
import { ndarray, type NamedArrays } from '../../utils/ndarray';
import { readTorchCheckpoint } from '../../utils/pytorch';
import { readSafetensors } from '../../utils/safetensors';
import { complaintOf, rowsOf } from './rows';

const zeros = (shapes: Record<string, number[]>): NamedArrays =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, ndarray('float32', shape)]));

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
      expect(rowsOf(await readWeights(path))).to.deep.equal(rowsOf(await readTorchCheckpoint(path)));
    }
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
  const expected = new Map([
    ['conv1.weight', [16, 3, 3, 3]],
    ['bn1.num_batches_tracked', []],
    ['fc.bias', [10]],
  ]);

  it('gives the tensors of the network in its order', () => {
    const weights = zeros({ 'fc.bias': [10], 'bn1.num_batches_tracked': [], 'conv1.weight': [16, 3, 3, 3] });
    const fitting = fitWeights('x', weights, expected);
    expect([...fitting.keys()]).to.deep.equal([...expected.keys()]);
    for (const [name, array] of fitting) expect(array).to.equal(weights.get(name));
  });

  it('lets counters of batches be missing or surplus', () => {
    const without = zeros({ 'conv1.weight': [16, 3, 3, 3], 'fc.bias': [10] });
    expect([...fitWeights('x', without, expected).keys()]).to.deep.equal(['conv1.weight', 'fc.bias']);
    const other = new Map([...without, ['bn2.num_batches_tracked', ndarray('int64', [])] as const]);
    expect([...fitWeights('x', other, expected).keys()]).to.deep.equal(['conv1.weight', 'fc.bias']);
  });

  it('names what is missing, unexpected and of another shape', async () => {
    const weights = zeros({ 'linear.weight': [1], 'linear.bias': [1], 'conv1.weight': [16, 3, 3, 3] });
    const network = new Map([
      ['conv1.weight', [32, 3, 3, 3]],
      ...['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'].map((name) => [name, [1]] as [string, number[]]),
    ]);
    expect(await complaintOf('a.pt', () => fitWeights('a.pt', weights, network))).to.equal(
      'does not fit the network: 4 missing (fc1.weight, fc1.bias, fc2.weight, …), ' +
        '2 unexpected (linear.weight, linear.bias), ' +
        '1 of another shape (conv1.weight: file [16,3,3,3], network [32,3,3,3])',
    );
  });

  it('compares shapes, not numbers of elements or leading axes', async () => {
    for (const shape of [[], [10, 1], [1, 10], [2, 5]]) {
      const complaint = await complaintOf('x', () => fitWeights('x', zeros({ a: shape }), new Map([['a', [10]]])));
      expect(complaint).to.contain(`1 of another shape (a: file [${shape.join(',')}], network [10])`);
    }
  });

  it('keeps a strange name on one line', async () => {
    const complaint = await complaintOf('x', () => fitWeights('x', zeros({ 'a\nb': [1] }), new Map()));
    expect(complaint).to.equal('does not fit the network: 1 unexpected ("a\\nb")');
  });
});
