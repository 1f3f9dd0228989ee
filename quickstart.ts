/**
 * The first two minutes: trains a student alone and the same student distilled from a teacher, and compares them in a
 * table.
 *
 *   npm run quickstart                  one seed
 *   npm run quickstart -- --seeds 5     five seeds, with the table kept in experiments/quickstart/comparison.md
 */
import { quickstart } from './commands/quickstart';
import { runMain } from './utils/cli';

void runMain(quickstart);
