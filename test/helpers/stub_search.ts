/** search_hyperparams.ts with a trainer that only waits. */
import { join } from 'node:path';
import { searchHyperparameters } from '../../search/command';
import { runMain } from '../../utils/cli';

/** Of its params, `temperature` is not used, and `seed` is 230 where it is absent. */
const trainer = {
  command: [process.execPath, require.resolve('ts-node/dist/bin'), join(__dirname, 'stub_trainer.ts')],
  resolve: (given: object) => ({ seed: 230, ...given }),
  unusedKeys: (given: object) => Object.keys(given).filter((key) => key === 'temperature'),
};

void runMain(() => searchHyperparameters(process.argv.slice(2), trainer));
