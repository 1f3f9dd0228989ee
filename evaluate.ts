/**
 * Evaluates a checkpoint of an experiment, or an ONNX file on its images: figures, texts for NumPy, pictures.
 *
 *   npx ts-node evaluate.ts --model_dir experiments/cnn_distill --split test --temperature 20
 */
import { evaluate } from './commands/evaluate';
import { runMain } from './utils/cli';

void runMain(evaluate);
