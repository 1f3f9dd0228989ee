/**
 * Hyperparameter search: trains the experiment of a directory with other parameters, each trial in its own directory.
 * Run it again to resume:
 *
 *   npx ts-node search_hyperparams.ts --parent_dir experiments/cnn_distill_alpha_temp
 *   npx ts-node search_hyperparams.ts --parent_dir experiments/my_search --n_trials 40 --sampler tpe --n_jobs 4
 */
import { hasNoLabels } from './model/data/index';
import { parseParams } from './model/experiment/params';
import { resolvedParams } from './model/experiment/resolved';
import { unusedKeys } from './model/experiment/unused_keys';
import { runFiles } from './runs/files';
import { searchHyperparameters } from './search/command';
import type { Trainer } from './search/trainer';
import { runMain } from './utils/cli';
import { programOf } from './utils/commands';

const parse = (given: object) => parseParams(given, runFiles.params);

const trainer: Trainer = {
  command: programOf('train'),
  resolve: (given) => resolvedParams(parse(given)),
  metrics: (given) => (hasNoLabels(parse(given).dataset) ? ['val_loss', 'train_loss'] : undefined),
  unusedKeys: (given) => unusedKeys(given, parse(given)),
};

void runMain(() => searchHyperparameters(process.argv.slice(2), trainer));
