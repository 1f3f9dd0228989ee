/**
 * One table of all runs below a directory, written there as results.md, results.csv or results.json, or as a page with
 * charts, report.html:
 *
 *   npx ts-node synthesize_results.ts --parent_dir experiments/cnn_distill_alpha_temp --sort -val_accuracy
 *   npx ts-node synthesize_results.ts --parent_dir experiments --baseline experiments/base_cnn --group_by method
 *   npx ts-node synthesize_results.ts --parent_dir experiments/cnn_distill_alpha_temp --format html --watch
 */
import { synthesizeResults } from './commands/synthesize_results';
import { runMain } from './utils/cli';

void runMain(synthesizeResults);
