/** Precomputed logits of a teacher: one row per training image, in the order of the data set. */
import { ndarray } from '../../formats/ndarray';
import { readNpy } from '../../formats/npy';
import { UserError } from '../../utils/errors';
import { text } from '../../utils/schema_forms';
import type { Dataset } from '../data/dataset';
import { brokenRow, logitsTeacher, type Teacher, type TeacherEntry } from './teacher';

/** Logits that were computed before. */
export interface CachedTeacherParams {
  /** Path of a .npy file with a row for each training image. */
  readonly logits: string;
}

/** Reads the logits from a .npy file, float32 or float64. They belong to the unaugmented images. */
function cachedTeacher({ logits: path }: CachedTeacherParams, dataset: Dataset): Teacher {
  const array = readNpy(path);
  const { train, classes, name } = dataset;
  const [rows, columns] = [train.size, classes.length];
  if (array.dtype !== 'float32' && array.dtype !== 'float64') {
    throw new UserError(`${path}: holds ${array.dtype}, accepted are float32 and float64`);
  }
  if (array.shape.length !== 2 || array.shape[0] !== rows || array.shape[1] !== columns) {
    throw new UserError(
      `${path}: has the shape [${array.shape.join(', ')}], accepted is [${rows}, ${columns}]: ` +
        `one row for each of the ${rows} training images of ${name}, one column for each of its ${columns} classes`,
    );
  }
  const stored = ndarray('float32', array.shape, Float32Array.from(array.data as Float32Array));
  const broken = brokenRow(stored);
  if (broken >= 0) throw new UserError(`${path}: row ${broken} has a value that is not finite in float32`);
  return logitsTeacher(columns, {
    logits: ({ indices, size }) => {
      const chosen = ndarray('float32', [size, columns]);
      indices.forEach((row, i) =>
        chosen.data.set(stored.data.subarray(row * columns, (row + 1) * columns), i * columns),
      );
      return Promise.resolve(chosen);
    },
    release: () => Promise.resolve(),
  });
}

export const logitsFile: TeacherEntry<CachedTeacherParams> = {
  options: () => ({
    logits: text({ title: 'A `.npy` file with a row for each training image.' }),
  }),
  isCached: true,
  load: (params, _, dataset) => Promise.resolve(cachedTeacher(params, dataset)),
  fileOf: ({ logits }) => logits,
  whatToCheck: ({ name }) => `that rows and columns are in the order of ${name}`,
};
