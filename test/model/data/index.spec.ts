/** Tests model/data/index.ts and model/teachers/index.ts: what code may leave out, and what it is told of mistakes. */
import { expect } from 'chai';
import { loadDataset } from '../../../model/data/index';
import { nets } from '../../../model/nets/index';
import { loadTeacher } from '../../../model/teachers/index';
import { complaintOf } from '../../utils/rows';

describe('what code loads', () => {
  const complaint = (spec: object) => complaintOf('loadDataset', () => loadDataset(spec as { name: 'shapes' }));

  it('has the defaults of params.json', async () => {
    const [plain, whole] = [
      await loadDataset({ name: 'shapes', train: 10, test: 10 }),
      await loadDataset({ name: 'shapes', train: 10, test: 10, seed: 0, dir: '' }),
    ];
    expect(plain.train).to.deep.equal(whole.train);
  });

  it('is refused in one line where an option is wrong', async () => {
    expect(await complaint({ name: 'shape' })).to.match(/^"name" must be one of cifar10, .*, got "shape"$/);
    expect(await complaint({ name: 'shapes', train: 0 })).to.equal('"train" must be >= 1, got 0');
    expect(await complaint({ name: 'shapes', trian: 5 })).to.equal('"trian" is not a key; did you mean "train"?');
    expect(await complaint({ name: 'folder', dir: 'none', size: 3 })).to.equal('"size" must be >= 8, got 3');
  });

  it('is refused where a teacher has none of the keys, or a wrong one', async () => {
    const dataset = await loadDataset({ name: 'shapes', train: 10, test: 10 });
    const student = {
      net: nets.cnn!.build,
      options: { classes: 10, numChannels: 4, dropoutRate: 0 },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const load = (teacher: object) =>
      complaintOf('loadTeacher', () =>
        loadTeacher(teacher as { onnx: string }, student, dataset, { threads: 1, log: () => {} }),
      );
    expect(await load({})).to.equal('a teacher has one of the keys model, onnx, logits');
    expect(await load({ onnx: 'a.onnx', sise: 3 })).to.equal('"sise" is not a key; did you mean "size"?');
    expect(await load({ model: 'cnn', num_channels: 0 })).to.equal('"num_channels" must be >= 1, got 0');
  });
});
