/** search_hyperparams.ts with a trainer that only waits. */
import { join } from 'node:path';
import { searchHyperparameters } from '../../search/command';
import { runMain } from '../../utils/cli';

const trainer = [process.execPath, require.resolve('ts-node/dist/bin'), join(__dirname, 'stub_trainer.ts')];

void runMain(() => searchHyperparameters(process.argv.slice(2), trainer));
