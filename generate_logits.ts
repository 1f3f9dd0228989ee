/**
 * Writes the logits of a trained experiment for all images without augmentation, for NumPy and as a cached teacher:
 *
 *   npx ts-node generate_logits.ts --model_dir experiments/base_resnet18
 */
import { generateLogits } from './commands/generate_logits';
import { runMain } from './utils/cli';

void runMain(generateLogits);
