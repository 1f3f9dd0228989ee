/**
 * Trains the experiment of a directory with other parameters, each in a directory of its own, and goes on where it was:
 *
 *   npx ts-node search_hyperparams.ts --parent_dir experiments/cnn_distill_alpha_temp
 *   npx ts-node search_hyperparams.ts --parent_dir experiments/my_search --trials 40 --sampler tpe --parallel 4
 */
import { join } from 'node:path';
import { searchHyperparameters } from './search/command';
import { runMain } from './utils/cli';

const trainer = [process.execPath, require.resolve('ts-node/dist/bin'), join(__dirname, 'train.ts')];

void runMain(() => searchHyperparameters(process.argv.slice(2), trainer));
