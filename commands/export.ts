/** Writes the student of an experiment as an ONNX file that needs nothing else, in float32 or int8, and tries it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getBorderCharacters, table } from 'table';
import type { Graph } from '../engine/graph';
import { quantize } from '../engine/onnx/quantize';
import { activationRanges } from '../engine/onnx/ranges';
import type { Dataset } from '../model/data/dataset';
import { calibrationBatches } from '../model/evaluation/calibration';
import { allOf, Evaluator } from '../model/evaluation/evaluator';
import { deployedModel, DeployedModel, deploymentGraph, pixelFeeds } from '../model/evaluation/exported_model';
import { predictedClasses, topAccuracy } from '../model/evaluation/metrics';
import { imagesOf, predictLogits } from '../model/evaluation/predict';
import { hasClassifier, openTrained, trainedWeights } from '../model/experiment/trained';
import { vectorModel } from '../model/experiment/vector_model';
import { runFiles } from '../runs/files';
import { describeRun } from '../runs/provenance';
import { oneOf, parseArguments, warning } from '../utils/cli';
import { titleOf } from '../utils/commands';
import { UserError } from '../utils/errors';
import { isDirectory, refuseUnwritable, writeFileAtomic, writeJson } from '../utils/files';
import { printable } from '../utils/printable';
import { packageVersion } from '../utils/version';
import { grouped } from '../utils/words';

const command = {
  name: 'export.ts',
  summary: 'Exports the student of an experiment as an ONNX file and evaluates it on the test images.',
  flags: {
    model_dir: {
      type: 'string',
      required: 'name the directory of an experiment',
      help: 'directory of a trained experiment',
    },
    restore_file: { type: 'string', default: 'best', help: '"best", "last" or a file with the weights' },
    precision: { type: 'string', default: 'float32', help: '"float32" or "int8"' },
    reduce_range: {
      type: 'boolean',
      help: 'with --precision int8, use 7-bit weights: the same results on every processor',
    },
    out: { type: 'string', help: 'output file (default: student.onnx or student.int8.onnx in --model_dir)' },
  },
} as const;

const SATURATION =
  'On x86 processors without VNNI (before Intel Cascade Lake, AMD Zen 4) 8-bit products saturate and accuracies differ\n' +
  'from those above: --reduce_range exports 7-bit weights, which avoid this\n';
/** A folded float32 graph rounds differently; a difference above this share of the largest logit is an error. */
const TOLERANCE = 1e-3;

/** Measurements of a file on the test images, compared to the original network. */
interface Measurement {
  readonly bytes: number;
  readonly accuracy?: number;
  /** Share of images with the same predicted class. */
  readonly agreement?: number;
  /** Of vectors in place of logits: the mean cosine of the file's and the network's. */
  readonly cosine?: number;
  /** Largest difference of its logits, or vectors, from the network's. */
  readonly largest_difference: number;
  /** Duration of a run in milliseconds. */
  readonly latency: Readonly<Record<'batch_1' | 'batch_128', number>>;
}

export async function exportStudent(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const { model_dir: directory, restore_file } = args;
  const precision = oneOf('precision', args.precision, ['float32', 'int8'] as const);
  const reduceRange = args.reduce_range;
  if (reduceRange && precision !== 'int8') throw new UserError('--reduce_range requires --precision int8', 2);
  const out = args.out ?? join(directory, runFiles[precision]);
  const experiment = await openTrained(directory, restore_file, () => {
    if (isDirectory(out)) throw new UserError(`${out}: is a directory; --out must name a file`);
    refuseUnwritable(out);
    return undefined;
  });

  // The student, and what it says of the test images.
  const { run, params, dataset, file: checkpoint, threads } = experiment;
  const output = hasClassifier(params, restore_file) ? 'logits' : 'embedding';
  const { model, weights } =
    output === 'embedding'
      ? await vectorModel(experiment)
      : { model: experiment.model, weights: await trainedWeights(experiment) };
  const images: TestImages = { dataset, output, width: model.options.classes, threads };
  const evaluator = await Evaluator.create(model, weights, threads);
  const reference = await outputsOn(images, evaluator);
  await evaluator.release();

  // The same as a graph of its own, and on 8 bits.
  const graphs: Record<string, Graph> = { float32: deploymentGraph(model, weights, output) };
  if (precision === 'int8') {
    const { indices } = imagesOf('train', params, dataset);
    const ranges = await activationRanges(graphs.float32!, calibrationFeeds(dataset, indices), threads);
    graphs.int8 = quantize(graphs.float32!, ranges, { reduceRange });
  }
  const properties = {
    model_version: params.model_version,
    classes: JSON.stringify(dataset.classes),
    input_size: JSON.stringify(dataset.shape),
    normalization: JSON.stringify(model.normalize),
    distillery_version: packageVersion,
  };
  const measurements: Record<string, Measurement> = {};
  for (const [name, graph] of Object.entries(graphs)) {
    measurements[name] = await measured(deployedModel(graph, { ...properties, precision: name }), images, reference);
  }
  const largest = reference.reduce((most, z) => Math.max(most, Math.abs(z)), 0);
  if (!(measurements.float32!.largest_difference <= TOLERANCE * largest)) {
    throw new Error(
      `export: the exported graph differs from the network by ${measurements.float32!.largest_difference}`,
    );
  }

  const { accuracy } = measurements[precision]!;
  writeFileAtomic(
    out,
    deployedModel(graphs[precision]!, {
      ...properties,
      precision,
      ...(accuracy !== undefined && { test_accuracy: String(accuracy) }),
    }),
  );
  const description = {
    ...describeRun([...titleOf(command.name).split(' '), ...process.argv.slice(2)]),
    file: out,
    precision,
    ...(reduceRange && { reduce_range: true }),
    checkpoint,
    test_images: dataset.test.size,
    threads,
    ...measurements,
  };
  try {
    writeJson(run.file(runFiles.exported), description);
  } catch (error) {
    // With --out the directory of the run may be one that is only read.
    if (args.out === undefined || !(error instanceof UserError)) throw error;
    warning(`${printable(error.message)}; the measurements are printed below`);
  }
  process.stdout.write(`${comparison(measurements, dataset)}\nWritten to ${out}\n`);
  if (precision === 'int8' && !reduceRange) process.stdout.write(SATURATION);
}

/** Training images as inputs of the graph, a few at a time. */
async function* calibrationFeeds(dataset: Dataset, indices: Uint32Array) {
  for await (const { images } of calibrationBatches(dataset, indices)) yield pixelFeeds(images, dataset.shape);
}

/** The test images, and what is asked about them. */
interface TestImages {
  readonly dataset: Dataset;
  /** The output of the file, and its length for an image. */
  readonly output: 'logits' | 'embedding';
  readonly width: number;
  readonly threads: number;
}

/** The output of a network for each of the test images, in their order. */
function outputsOn({ dataset: { test, shape }, width }: TestImages, network: Evaluator | DeployedModel) {
  return predictLogits(network, test, allOf(test), { shape, classes: { length: width } });
}

/** The mean of the cosines of rows of length `width`. */
function meanCosine(a: Float32Array, b: Float32Array, width: number): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const rows = a.length / width;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const [x, y] = [a, b].map((all) => all.subarray(row * width, (row + 1) * width)) as [Float32Array, Float32Array];
    sum += dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
  }
  return sum / rows;
}

/** Loads a file as its users would, runs it on the test images and times it. */
async function measured(bytes: Uint8Array, images: TestImages, reference: Float32Array): Promise<Measurement> {
  const { dataset, output, width, threads } = images;
  const folder = mkdtempSync(join(tmpdir(), 'export-'));
  try {
    const path = join(folder, runFiles.float32);
    writeFileSync(path, bytes);
    const deployed = await DeployedModel.open(path, dataset.shape, threads, output);
    const logits = await outputsOn(images, deployed);
    const latency = { batch_1: await deployed.latency(1, 50), batch_128: await deployed.latency(128, 10) };
    await deployed.release();
    const { labels } = dataset.test;
    const ofClasses = () => ({
      accuracy: topAccuracy({ logits, labels, classes: width }, 1),
      agreement: topAccuracy(
        { logits, labels: predictedClasses({ logits: reference, labels, classes: width }), classes: width },
        1,
      ),
    });
    return {
      bytes: bytes.length,
      ...(output === 'logits' ? ofClasses() : { cosine: meanCosine(logits, reference, width) }),
      largest_difference: logits.reduce((most, z, i) => Math.max(most, Math.abs(z - reference[i]!)), 0),
      latency,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function comparison(measurements: Readonly<Record<string, Measurement>>, { test }: Dataset): string {
  const row = (title: string, show: (of: Measurement) => string) => [title, ...Object.values(measurements).map(show)];
  const percent = (share = NaN) => `${(100 * share).toFixed(2)} %`;
  const isVector = Object.values(measurements).some(({ cosine }) => cosine !== undefined);
  const rows = [
    [`${test.size} test images`, ...Object.keys(measurements)],
    ...(isVector
      ? [row("cosine with the network's", ({ cosine = NaN }) => cosine.toFixed(6))]
      : [
          row('accuracy', ({ accuracy }) => percent(accuracy)),
          row('agreement with the network', ({ agreement }) => percent(agreement)),
        ]),
    row(`largest ${isVector ? '' : 'logit '}difference`, ({ largest_difference: difference }) =>
      difference.toPrecision(3),
    ),
    row('bytes', ({ bytes }) => grouped(bytes)),
    row('batch of 1', ({ latency }) => `${latency.batch_1.toFixed(2)} ms`),
    row('batch of 128', ({ latency }) => `${latency.batch_128.toFixed(2)} ms`),
  ];
  return table(rows, {
    border: getBorderCharacters('norc'),
    drawHorizontalLine: (line, count) => line < 2 || line === count,
  });
}
