/**
 * The predictions of a network for images of a split, as a run stores them: 16 bytes per image for any number of
 * classes, in predictions_val.safetensors and predictions_test.safetensors; 24 bytes for those of its teacher for a
 * sample of the test images, in predictions_teacher.safetensors.
 */
import { ndarray, type DType, type NdArray, type TypedArrays } from '../formats/ndarray';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { UserError } from '../utils/errors';

/** One element per image, in the order in which they were evaluated. */
export interface Predictions {
  /** Example numbers within their split. */
  readonly indices: Int32Array;
  readonly labels: Int32Array;
  /** The class with the largest logit. */
  readonly predicted: Int32Array;
  /** Its softmax probability. */
  readonly confidences: Float32Array;
}

/** The origin of predictions. */
export interface PredictionsOrigin {
  /** Epoch of the weights. */
  readonly epoch: number;
  /** Class names. */
  readonly classes: readonly string[];
}

/** The predictions of a teacher, and its soft targets softmax(z / T). */
export interface TeacherPredictions extends Predictions {
  /** Class names. */
  readonly classes: readonly string[];
  /** The temperature T of the run; 1 if its method has none. */
  readonly temperature: number;
  /** The largest probability of each soft target. */
  readonly softConfidences: Float32Array;
  /** The entropy −Σ p ln p of each soft target, in nats. */
  readonly softEntropies: Float32Array;
}

export function writePredictions(path: string, predictions: Predictions, { epoch, classes }: PredictionsOrigin): void {
  writeSafetensors(path, tensorsOf(predictions), { epoch: String(epoch), classes: JSON.stringify(classes) });
}

export function writeTeacherPredictions(path: string, predictions: TeacherPredictions): void {
  const { classes, temperature, softConfidences, softEntropies } = predictions;
  const tensors = tensorsOf(predictions);
  tensors.set('soft_confidences', ndarray('float32', [softConfidences.length], softConfidences));
  tensors.set('soft_entropies', ndarray('float32', [softEntropies.length], softEntropies));
  writeSafetensors(path, tensors, { temperature: String(temperature), classes: JSON.stringify(classes) });
}

function tensorsOf({ indices, labels, predicted, confidences }: Predictions): Map<string, NdArray> {
  return new Map<string, NdArray>([
    ['indices', ndarray('int32', [indices.length], indices)],
    ['labels', ndarray('int32', [labels.length], labels)],
    ['predicted', ndarray('int32', [predicted.length], predicted)],
    ['confidences', ndarray('float32', [confidences.length], confidences)],
  ]);
}

/** Reads a file. Throws a UserError that names the file if it is missing, damaged or something else. */
export function readPredictions(path: string): Predictions & PredictionsOrigin {
  const { predictions, classes, metadata, refuse } = openPredictions(path, 'a run');
  const epoch = Number(metadata.epoch ?? NaN);
  if (!Number.isInteger(epoch)) throw refuse('its metadata has no "epoch"');
  return { ...predictions, epoch, classes };
}

/** Reads the file of a teacher, with the same errors. */
export function readTeacherPredictions(path: string): TeacherPredictions {
  const { predictions, classes, metadata, column, refuse } = openPredictions(path, 'a teacher');
  const temperature = Number(metadata.temperature ?? NaN);
  if (!(temperature > 0)) throw refuse('its metadata has no "temperature"');
  const softConfidences = column('soft_confidences', 'float32');
  const softEntropies = column('soft_entropies', 'float32');
  return { ...predictions, classes, temperature, softConfidences, softEntropies };
}

/** What the files of `whose` predictions have in common; `column` reads a tensor with an element for each image. */
function openPredictions(path: string, whose: string) {
  const { tensors, metadata } = readSafetensors(path);
  const refuse = (reason: string) => new UserError(`${path}: not the predictions of ${whose}: ${reason}`);
  const indices = row('indices', 'int32');
  function row<D extends DType>(name: string, dtype: D): TypedArrays[D] {
    const array = tensors.get(name);
    if (array?.dtype !== dtype || array.shape.length !== 1) throw refuse(`"${name}" is not a row of ${dtype}`);
    return array.data as TypedArrays[D];
  }
  function column<D extends DType>(name: string, dtype: D): TypedArrays[D] {
    const values = row(name, dtype);
    if (values.length !== indices.length) throw refuse('its tensors differ in length');
    return values;
  }
  const predictions = {
    indices,
    labels: column('labels', 'int32'),
    predicted: column('predicted', 'int32'),
    confidences: column('confidences', 'float32'),
  };
  const classes = namesIn(metadata.classes);
  if (classes === undefined) throw refuse('its metadata has no list of "classes"');
  const isClass = (k: number) => k >= 0 && k < classes.length;
  if (!predictions.labels.every(isClass) || !predictions.predicted.every(isClass))
    throw refuse(`it has a class number outside of its ${classes.length} class names`);
  return { predictions, classes, metadata, column, refuse };
}

function namesIn(json: string | undefined): string[] | undefined {
  try {
    const names: unknown = JSON.parse(json ?? '');
    return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    return undefined;
  }
}
