import { expect } from 'chai';
import { flatten, settingOf } from '../../utils/flatten';

describe('flatten', () => {
  it('names what lies in objects by its path and keeps the order', () => {
    const params = { b: 1, schedule: { type: 'step', inner: { gamma: 0.1 } }, a: null, c: false };
    expect([...flatten(params)]).to.deep.equal([
      ['b', 1],
      ['schedule.type', 'step'],
      ['schedule.inner.gamma', 0.1],
      ['a', null],
      ['c', false],
    ]);
    expect([...flatten({ val: { loss: 2 } }, '_').keys()]).to.deep.equal(['val_loss']);
  });

  it('takes lists and empty objects as one value', () => {
    expect([...flatten({ teacher: [{ model: 'cnn' }, { model: 'vgg' }], none: {} })]).to.deep.equal([
      ['teacher', '[{"model":"cnn"},{"model":"vgg"}]'],
      ['none', '{}'],
    ]);
  });

  it('keeps names that objects have by nature', () => {
    expect(flatten(JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}') as object).get('__proto__.x')).to.equal(1);
    expect(flatten({}).get('constructor')).to.equal(undefined);
  });
});

describe('settingOf', () => {
  const setting = (params: object) => settingOf(flatten(params));

  it('is the same whatever the seed and the order of the keys', () => {
    expect(setting({ alpha: 0.5, seed: 1, beta: 2 })).to.equal(setting({ beta: 2, alpha: 0.5, seed: 2 }));
    expect(setting({ alpha: 0.5, seed: 1 })).to.equal(setting({ alpha: 0.5 }));
  });

  it('differs with any other key, value or kind', () => {
    const settings = [{ alpha: 0.5 }, { alpha: '0.5' }, { alpha: 0.6 }, { alpha: 0.5, beta: null }, { beta: 0.5 }, {}];
    expect(new Set(settings.map(setting)).size).to.equal(settings.length);
    expect(setting({ dataset: { seed: 1 } })).not.to.equal(setting({ dataset: { seed: 2 } }));
  });
});
