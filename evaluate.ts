/**
 * Evaluates a checkpoint of an experiment, or an ONNX file on the same images; writes metrics, NumPy text files and
 * figures.
 *
 *   npx ts-node evaluate.ts --model_dir experiments/cnn_distill --split test --temperature 20
 */
import { evaluate } from './commands/evaluate';
import { runMain } from './utils/cli';

void runMain(evaluate);
