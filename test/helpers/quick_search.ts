/** search_hyperparams.ts with a trainer that does nothing; at its end it tells the most memory that it took, in kB. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { searchHyperparameters } from '../../search/command';
import { runMain } from '../../utils/cli';

/** Of this program alone, where Linux tells it: the maximum of resource usage has what its parent took when it forked. */
function peak(): number {
  const status = '/proc/self/status';
  const line = existsSync(status) ? /VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8')) : null;
  return line ? Number(line[1]) : process.resourceUsage().maxRSS;
}

process.on('exit', () => process.stdout.write(`maxRSS ${peak()}\n`));
void runMain(() =>
  searchHyperparameters(process.argv.slice(2), {
    command: [process.execPath, join(__dirname, 'quick_trainer.cjs')],
    resolve: (given) => given,
    unusedKeys: () => [],
  }),
);
