/**
 * Shows what is in a network or a file of weights, before anything is trained:
 *
 *   npx ts-node inspect.ts --file teacher.onnx
 */
import { inspect } from './commands/inspect';
import { runMain } from './utils/cli';

void runMain(inspect);
