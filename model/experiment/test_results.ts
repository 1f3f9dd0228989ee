/** What a run leaves about the test images besides its score: predictions, those of its teacher, and some images. */
import type { Predictions, TeacherPredictions } from '../../runs/predictions';
import type { TestResults } from '../../runs/run_directory';
import { MOST_SIDE, type TestImages } from '../../runs/test_images';
import { evenlySpaced } from '../../utils/spread';
import { pixelsOf, type Dataset } from '../data/dataset';
import { entropies, predictedClasses, softmaxRows } from '../evaluation/metrics';
import { predictLogits } from '../evaluation/predict';
import { hasCachedLogits, hasLogits } from '../teachers';
import type { Setup } from './setup';
import { unusedKeys } from './unused_keys';

/** Test images that the teacher is asked about. */
const SAMPLE = 2000;
/** Images to keep, which take at most 600 kB. */
const KEPT = 48;

/** What a report shows next to the student's predictions for all test images. */
export async function testResults(setup: Setup, predictions: Predictions): Promise<TestResults> {
  const { dataset } = setup;
  const sample = evenlySpaced(dataset.test.size, SAMPLE);
  const teacher = await teacherPredictions(setup, sample);
  // Those that the student gets wrong, or takes for something else than the teacher does.
  const isTelling = (example: number, place: number) =>
    predictions.predicted[example] !== predictions.labels[example] ||
    (teacher !== undefined && teacher.predicted[place] !== predictions.predicted[example]);
  const telling = sample.filter(isTelling);
  const kept = evenlySpaced(telling.length, KEPT).map((place) => telling[place]!);
  return { predictions, teacher, images: await testImages(dataset, kept) };
}

/** What the teacher says about some test images; undefined without one, or where its logits are only cached. */
async function teacherPredictions(
  { teacher, params, model, dataset }: Setup,
  sample: Uint32Array,
): Promise<TeacherPredictions | undefined> {
  if (!teacher || !hasLogits(teacher) || hasCachedLogits(params.teacher)) return undefined;
  const { classes: names, test } = dataset;
  const classes = names.length;
  const temperature =
    unusedKeys({ temperature: params.temperature }, params, model).length > 0 ? 1 : params.temperature;
  const logits = await predictLogits(teacher, test, sample, dataset);
  const labels = Int32Array.from(sample, (example) => test.labels[example]!);
  const predicted = predictedClasses({ logits, labels, classes });
  const largest = (scores: Float64Array) => Float32Array.from(predicted, (k, i) => scores[i * classes + k]!);
  const soft = softmaxRows(logits, classes, temperature);
  return {
    indices: Int32Array.from(sample),
    labels,
    predicted,
    confidences: largest(softmaxRows(logits, classes)),
    classes: names,
    temperature,
    softConfidences: largest(soft),
    softEntropies: Float32Array.from(entropies(soft, classes)),
  };
}

/** Test images for a page, reduced by a whole factor; undefined if they are neither gray nor RGB. */
async function testImages({ test, shape }: Dataset, examples: Uint32Array): Promise<TestImages | undefined> {
  const [channels, height, width] = shape;
  if (channels !== 1 && channels !== 3) return undefined;
  const factor = Math.ceil(Math.max(height, width) / MOST_SIDE);
  const planes = await pixelsOf(test, examples, shape);
  return {
    indices: Int32Array.from(examples),
    shape: [channels, Math.ceil(height / factor), Math.ceil(width / factor)],
    pixels: reduced(planes, height, width, factor),
  };
}

/** Planes in which each pixel is the mean of a square of `factor` × `factor` pixels, cut off at the edge. */
export function reduced(planes: Uint8Array, height: number, width: number, factor: number): Uint8Array {
  if (factor === 1) return planes;
  const [rows, columns] = [Math.ceil(height / factor), Math.ceil(width / factor)];
  const count = planes.length / (height * width);
  const out = new Uint8Array(count * rows * columns);
  for (let at = 0; at < out.length; at++) {
    const [plane, row, column] = [Math.floor(at / (rows * columns)), Math.floor(at / columns) % rows, at % columns];
    let [sum, pixels] = [0, 0];
    for (let y = row * factor; y < Math.min(height, (row + 1) * factor); y++) {
      for (let x = column * factor; x < Math.min(width, (column + 1) * factor); x++, pixels++) {
        sum += planes[plane * height * width + y * width + x]!;
      }
    }
    out[at] = Math.round(sum / pixels);
  }
  return out;
}
