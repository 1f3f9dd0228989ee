/** Tests model/nets/layers.ts. Branches: the last stage of a student once more, on what the stages before it put out. */
import { expect } from 'chai';
import { sgd } from '../../../engine/optimizers/index';
import { batches } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { nets } from '../../../model/nets/index';
import type { Model } from '../../../model/nets/model';
import { trainingGraph } from '../../../model/training/step_graph';
import { Trainer } from '../../../model/training/trainer';
import { method, trainingOptions } from '../../helpers/training';

const N = 4;
const dataset = makeShapes({ train: N, test: 1, seed: 3 });
const modelOf = (name: string): Model => ({
  net: nets[name]!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0.5 },
  normalize: dataset.normalize,
  input: dataset.shape,
});
const options = trainingOptions(sgd(), N, { methods: [method('one', { branches: 2 })] });
const PREFIX = 'distiller.one.branch2.';

describe('branches of a student', () => {
  for (const [name, ours, shared] of [
    ['resnet8', /^(layer3|linear)\./, 'layer2.0.conv2.weight'],
    ['preact_resnet18', /^(layer4\.(?!0\.bn1)|linear\.)/, 'layer3.1.conv2.weight'],
    ['wrn10_1', /^(layer3\.layer\.(?!0\.bn1)|bn1\.|linear\.)/, 'layer2.layer.0.conv2.weight'],
    ['cnn', /^(conv3|bn3|fc1|fcbn1|fc2)\./, 'conv2.weight'],
  ] as const) {
    it(`have the layers of a ${name} after the stage, and no others`, () => {
      const states = [...trainingGraph(modelOf(name), options).states.keys()];
      const own = states.filter((state) => state.startsWith(PREFIX)).map((state) => state.slice(PREFIX.length));
      const student = states.filter((state) => !/^(distiller|optimizer)\b/.test(state));
      expect(student).to.include(shared);
      expect(own).to.have.members(student.filter((state) => ours.test(state)));
      expect(own.length).to.be.above(0);
    });
  }

  it('count once in the statistics of what they share, and train it', async () => {
    const trainer = Trainer.create(modelOf('resnet8'), [N], { ...options, threads: 1 });
    const values = (state: string) => Array.from(trainer.state.get(state).data, Number);
    const watched = ['conv1.weight', 'layer3.0.conv1.weight', `${PREFIX}layer3.0.conv1.weight`];
    const before = watched.map(values);
    const pass = { shape: dataset.shape, batchSize: N, seed: 0, epoch: 1, shuffle: false, augment: false };
    const [batch] = [
      ...batches(
        dataset.train,
        Uint32Array.from({ length: N }, (_, i) => i),
        pass,
      ),
    ];
    await trainer.step(batch!, { step: 1, epoch: 1, epochs: 1, learningRate: 0.1 });
    for (const state of ['bn1', 'layer3.0.bn1', `${PREFIX}layer3.0.bn1`]) {
      expect(values(`${state}.num_batches_tracked`), state).to.deep.equal([1]);
    }
    watched.forEach((state, i) => expect(values(state), state).to.not.deep.equal(before[i]));
    await trainer.release();
  });
});
