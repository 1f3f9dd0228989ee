import { expect } from 'chai';
import { childParams } from '../../../search/trials/child_params';
import { UserError } from '../../../utils/errors';

const parent = {
  alpha: 0.9,
  schedule: { type: 'step', step_size: 10, gamma: 0.1 },
  teacher: [{ model: 'wrn' }, { model: 'cnn' }],
  dataset: 'cifar10',
};
const child = (point: Parameters<typeof childParams>[1]) => childParams(parent, point, 'a/params.json');

describe('childParams', () => {
  it('puts every value at its path', () => {
    const point = { alpha: 0.5, 'schedule.gamma': 0.2, 'teacher.1.checkpoint': 'a.pt', 'new.inner': [1], seed: null };
    expect(child(point)).to.deep.equal({
      alpha: 0.5,
      schedule: { type: 'step', step_size: 10, gamma: 0.2 },
      teacher: [{ model: 'wrn' }, { model: 'cnn', checkpoint: 'a.pt' }],
      dataset: 'cifar10',
      new: { inner: [1] },
      seed: null,
    });
  });

  it('goes into a value that was set before', () => {
    const schedule = { type: 'step', step_size: 5 };
    expect(child({ schedule, 'schedule.gamma': 0.5 }).schedule).to.deep.equal({ ...schedule, gamma: 0.5 });
    expect(schedule).to.deep.equal({ type: 'step', step_size: 5 });
  });

  it('leaves the parent as it was, and the prototype of all objects', () => {
    const before = structuredClone(parent);
    child({ 'schedule.gamma': 0.2, 'teacher.0.model': 'cnn', 'constructor.prototype.hacked': 1 });
    expect(parent).to.deep.equal(before);
    expect(({} as { hacked?: number }).hacked).to.equal(undefined);
  });

  it('refuses to go into what is no object', () => {
    expect(() => child({ 'dataset.train': 5 })).to.throw(
      UserError,
      'a/params.json: "dataset" must be an object where "dataset.train" is searched, got "cifar10"',
    );
  });
});
