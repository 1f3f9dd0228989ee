import { expect } from 'chai';
import { parameterRules } from '../../../model/training/parameter_groups';
import { UserError } from '../../../utils/errors';

const names = ['conv1.weight', 'bn1.weight', 'bn1.bias', 'layer1.0.bn1.weight', 'fc.weight', 'fc.bias'];
const rulesFor = (params: object) => parameterRules({ learning_rate: 0.1, ...params }, names);

describe('parameterRules', () => {
  it('freeze what a glob matches, and BatchNorm with it unless told otherwise', () => {
    const rules = rulesFor({ freeze: ['conv1', 'layer*', '*.bias'] });
    expect(names.filter((name) => rules.isFrozen(name))).to.deep.equal([
      'conv1.weight',
      'bn1.bias',
      'layer1.0.bn1.weight',
      'fc.bias',
    ]);
    expect(rules.fixesNorm('layer1.0.bn1.weight')).to.equal(true);
    expect(rules.fixesNorm('bn1.weight')).to.equal(false);
    const moving = rulesFor({ freeze: ['layer*'], freeze_batch_norm: 'train' });
    expect(moving.isFrozen('layer1.0.bn1.weight')).to.equal(true);
    expect(moving.fixesNorm('layer1.0.bn1.weight')).to.equal(false);
  });

  it('give factors of the learning rate, by the first glob that matches', () => {
    const rules = rulesFor({ learning_rates: { 'fc.bias': 0.4, 'fc*': 0.2, '*': 0.05 } });
    expect(['fc.bias', 'fc.weight', 'conv1.weight'].map((name) => rules.rate(name))).to.deep.equal([4, 2, 0.5]);
  });

  it('leave alone what is not of the student, whatever a glob says', () => {
    const rules = rulesFor({ freeze: ['*1*'], learning_rates: { '*': 1 } });
    expect(rules.isFrozen('distiller.fitnet.conv1.weight')).to.equal(false);
    expect(rules.rate('distiller.fitnet.conv1.weight')).to.equal(1);
  });

  it('must match something, and leave something', () => {
    const known = 'matches no parameter of the network; parameter names begin with conv1, bn1, layer1, fc';
    expect(() => rulesFor({ freeze: ['conv1', 'stem'] })).to.throw(UserError, `"freeze": "stem" ${known}`);
    expect(() => rulesFor({ learning_rates: { 'head*': 1 } })).to.throw(
      UserError,
      `"learning_rates": "head*" ${known}`,
    );
    expect(() => rulesFor({ freeze: ['*'] })).to.throw(UserError, '"freeze" leaves none of 6 parameters to train');
  });
});
