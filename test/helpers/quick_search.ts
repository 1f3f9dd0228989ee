/** search_hyperparams.ts with a trainer that does nothing; at its end it tells the most memory that it took, in kB. */
import { join } from 'node:path';
import { searchHyperparameters } from '../../search/command';
import { runMain } from '../../utils/cli';

process.on('exit', () => process.stdout.write(`maxRSS ${process.resourceUsage().maxRSS}\n`));
void runMain(() =>
  searchHyperparameters(process.argv.slice(2), [process.execPath, join(__dirname, 'quick_trainer.cjs')]),
);
