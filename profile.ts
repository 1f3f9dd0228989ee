/**
 * Shows where the time of an experiment's training step goes, by operator and by layer, without changing its run:
 *
 *   npm run profile -- --model_dir experiments/cnn_distill
 */
import { profile } from './commands/profile';
import { runMain } from './utils/cli';

void runMain(profile);
