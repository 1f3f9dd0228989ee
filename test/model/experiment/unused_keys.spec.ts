/** Keys of params.json that a run does not read, by what the registries say. */
import { expect } from 'chai';
import { optimizers } from '../../../engine/optimizers';
import { datasetNames, datasets } from '../../../model/data';
import { parseParams } from '../../../model/experiment/params';
import { unusedKeys } from '../../../model/experiment/unused_keys';

const plain = { model_version: 'cnn', learning_rate: 0.1, num_epochs: 1 };
const unused = (given: object) =>
  unusedKeys({ ...plain, ...given }, parseParams({ ...plain, ...given }, 'params.json'));

describe('unused keys', () => {
  for (const name of datasetNames) {
    const { directory, required = [] } = datasets[name];
    it(`${directory === undefined ? 'have' : 'lack'} "data_dir" where the data set is ${name}`, () => {
      const dataset = { name, ...Object.fromEntries(required.map((key) => [key, 'here'])) };
      expect(unused({ dataset, data_dir: 'there' })).to.deep.equal(directory === undefined ? ['data_dir'] : []);
    });
  }

  for (const [optimizer, { options }] of Object.entries(optimizers)) {
    it(`have the options of other optimizers than ${optimizer}`, () => {
      const given = { momentum: 0.5, nesterov: true, weight_decay: 0.1 };
      const others = ['momentum', 'nesterov'].filter((key) => !Object.hasOwn(options, key));
      expect(unused({ optimizer, ...given })).to.deep.equal(others);
    });
  }
});
