/**
 * Exports the student of an experiment as a self-contained ONNX file, in float32 or quantized to 8 bits, evaluates it
 * on the test images and times it:
 *
 *   npx ts-node export.ts --model_dir experiments/cnn_distill --precision int8
 */
import { exportStudent } from './commands/export';
import { runMain } from './utils/cli';

void runMain(exportStudent);
