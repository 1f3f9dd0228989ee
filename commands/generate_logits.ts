/** Writes the logits of a trained experiment for all stored images, for NumPy and as a cached teacher. */
import { join } from 'node:path';
import { ndarray } from '../formats/ndarray';
import { writeNpy } from '../formats/npy';
import { allOf, Evaluator } from '../model/evaluation/evaluator';
import { topAccuracy } from '../model/evaluation/metrics';
import { predictLogits } from '../model/evaluation/predict';
import { deviceFor, openTrained, refuseWithoutClassifier, trainedWeights } from '../model/experiment/trained';
import { parseArguments } from '../utils/cli';
import { deviceFlag, flaggedDevice } from '../utils/devices';
import { makeWritable } from '../utils/files';
import { progressBar } from '../utils/progress';

const command = {
  name: 'generate_logits.ts',
  summary: 'Writes train_logits.npy and test_logits.npy, one row per image in the order of the data set.',
  flags: {
    model_dir: {
      type: 'string',
      required: 'name the directory of a trained experiment',
      help: 'directory of a trained experiment',
    },
    restore_file: { type: 'string', default: 'best', help: '"best", "last" or a file with the weights' },
    device: deviceFlag,
    out: { type: 'string', help: 'directory for the files (default: --model_dir)' },
  },
} as const;

export async function generateLogits(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const { model_dir, restore_file, out = model_dir } = args;
  const flag = flaggedDevice(args.device);
  const experiment = await openTrained(model_dir, restore_file, (params) => {
    refuseWithoutClassifier(model_dir, params, restore_file);
    return undefined;
  });
  const { params, dataset, model, threads } = experiment;
  const weights = await trainedWeights(experiment);
  const evaluator = await Evaluator.create(model, weights, threads, await deviceFor(params, flag));
  makeWritable(out);
  for (const part of ['train', 'test'] as const) {
    const split = dataset[part];
    const bar = progressBar(split.size, 'images');
    const logits = await predictLogits(evaluator, split, allOf(split), dataset, (done) => bar.update(done));
    bar.stop();
    const path = join(out, `${part}_logits.npy`);
    const classes = dataset.classes.length;
    writeNpy(path, ndarray('float32', [split.size, classes], logits));
    const accuracy = topAccuracy({ logits, labels: split.labels, classes }, 1);
    process.stdout.write(`${path}: ${split.size} × ${classes}, accuracy ${accuracy.toFixed(4)}\n`);
  }
  await evaluator.release();
}
