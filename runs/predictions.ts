/**
 * The predictions of a network for all images of a split, as a run stores them: 16 bytes per image for any number of
 * classes, in predictions_val.safetensors and predictions_test.safetensors.
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

/** Writes a file atomically; equal predictions give equal bytes. */
export function writePredictions(path: string, predictions: Predictions, { epoch, classes }: PredictionsOrigin): void {
  const { indices, labels, predicted, confidences } = predictions;
  const tensors = new Map<string, NdArray>([
    ['indices', ndarray('int32', [indices.length], indices)],
    ['labels', ndarray('int32', [labels.length], labels)],
    ['predicted', ndarray('int32', [predicted.length], predicted)],
    ['confidences', ndarray('float32', [confidences.length], confidences)],
  ]);
  writeSafetensors(path, tensors, { epoch: String(epoch), classes: JSON.stringify(classes) });
}

/** Reads a file. Throws a UserError that names the file if it is missing, damaged or something else. */
export function readPredictions(path: string): Predictions & PredictionsOrigin {
  const { tensors, metadata } = readSafetensors(path);
  const refuse = (reason: string) => new UserError(`${path}: not the predictions of a run: ${reason}`);
  const column = <D extends DType>(name: string, dtype: D): TypedArrays[D] => {
    const array = tensors.get(name);
    if (array?.dtype !== dtype || array.shape.length !== 1) throw refuse(`"${name}" is not a row of ${dtype}`);
    return array.data as TypedArrays[D];
  };
  const file = {
    indices: column('indices', 'int32'),
    labels: column('labels', 'int32'),
    predicted: column('predicted', 'int32'),
    confidences: column('confidences', 'float32'),
    epoch: Number(metadata.epoch ?? NaN),
    classes: namesIn(metadata.classes),
  };
  const { indices, labels, predicted, confidences, epoch, classes } = file;
  if ([labels, predicted, confidences].some(({ length }) => length !== indices.length))
    throw refuse('its tensors differ in length');
  if (classes === undefined) throw refuse('its metadata has no list of "classes"');
  if (!Number.isInteger(epoch)) throw refuse('its metadata has no "epoch"');
  const isClass = (k: number) => k >= 0 && k < classes.length;
  if (!labels.every(isClass) || !predicted.every(isClass))
    throw refuse(`it has a class number outside of its ${classes.length} class names`);
  return { ...file, classes };
}

function namesIn(json: string | undefined): string[] | undefined {
  try {
    const names: unknown = JSON.parse(json ?? '');
    return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    return undefined;
  }
}
