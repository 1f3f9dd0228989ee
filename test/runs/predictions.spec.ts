import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ndarray, type NdArray } from '../../formats/ndarray';
import { writeSafetensors } from '../../formats/safetensors';
import {
  readPredictions,
  readTeacherPredictions,
  writePredictions,
  writeTeacherPredictions,
} from '../../runs/predictions';
import { UserError } from '../../utils/errors';

describe('predictions', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'predictions-'));
  const path = join(scratch, 'predictions_test.safetensors');
  after(() => rmSync(scratch, { recursive: true }));

  const predictions = {
    indices: Int32Array.of(7, 3, 70_000),
    labels: Int32Array.of(0, 1, 1),
    predicted: Int32Array.of(0, 0, 1),
    confidences: Float32Array.of(0.5, 0.75, 1),
  };
  const origin = { epoch: 12, classes: ['cat', 'dog, or "wolf"'] };

  it('are read as they were written, and written as the same bytes', () => {
    writePredictions(path, predictions, origin);
    const bytes = readFileSync(path);
    expect(readPredictions(path)).to.deep.equal({ ...predictions, ...origin });
    writePredictions(path, predictions, origin);
    expect(readFileSync(path).equals(bytes)).to.equal(true);
  });

  it('of a teacher have its soft targets besides', () => {
    const taught = {
      ...predictions,
      classes: origin.classes,
      temperature: 4.5,
      softConfidences: Float32Array.of(0.25, 0.5, 0.75),
      softEntropies: Float32Array.of(0.5, 0.625, 0),
    };
    writeTeacherPredictions(path, taught);
    expect(readTeacherPredictions(path)).to.deep.equal(taught);
    writePredictions(path, predictions, origin);
    expect(() => readTeacherPredictions(path)).to.throw(
      UserError,
      `${path}: not the predictions of a teacher: its metadata has no "temperature"`,
    );
    writeTeacherPredictions(path, { ...taught, softEntropies: new Float32Array(2) });
    expect(() => readTeacherPredictions(path)).to.throw(UserError, 'its tensors differ in length');
  });

  it('take 16 bytes an image', () => {
    const sizeOf = (images: number) => {
      const column = new Int32Array(images);
      const confidences = new Float32Array(images);
      writePredictions(path, { indices: column, labels: column, predicted: column, confidences }, origin);
      return statSync(path).size;
    };
    expect(sizeOf(90_000) - sizeOf(10_000)).to.be.closeTo(16 * 80_000, 64);
  });

  it('are refused, with the name of the file, where it holds something else', () => {
    const good: [string, NdArray][] = [
      ['indices', ndarray('int32', [2], Int32Array.of(0, 1))],
      ['labels', ndarray('int32', [2], Int32Array.of(0, 1))],
      ['predicted', ndarray('int32', [2], Int32Array.of(1, 1))],
      ['confidences', ndarray('float32', [2], Float32Array.of(0.5, 1))],
    ];
    const metadata = { epoch: '3', classes: '["a","b"]' };
    const cases: [changes: [string, NdArray][], metadata: Record<string, string>, reason: string][] = [
      [[['labels', ndarray('float32', [2])]], metadata, '"labels" is not a row of int32'],
      [[['confidences', ndarray('float32', [2, 1])]], metadata, '"confidences" is not a row of float32'],
      [[['predicted', ndarray('int32', [3])]], metadata, 'its tensors differ in length'],
      [
        [['predicted', ndarray('int32', [2], Int32Array.of(0, 2))]],
        metadata,
        'it has a class number outside of its 2 class names',
      ],
      [
        [['labels', ndarray('int32', [2], Int32Array.of(-1, 0))]],
        metadata,
        'it has a class number outside of its 2 class names',
      ],
      [[], { epoch: '3' }, 'its metadata has no list of "classes"'],
      [[], { epoch: '3', classes: '[1]' }, 'its metadata has no list of "classes"'],
      [[], { classes: '["a","b"]' }, 'its metadata has no "epoch"'],
    ];
    for (const [changes, data, reason] of cases) {
      writeSafetensors(path, new Map([...good, ...changes]), data);
      expect(() => readPredictions(path), reason).to.throw(
        UserError,
        `${path}: not the predictions of a run: ${reason}`,
      );
    }
    writeSafetensors(path, new Map(good.slice(1)), metadata);
    expect(() => readPredictions(path)).to.throw(UserError, '"indices" is not a row of int32');
    writeSafetensors(path, new Map(good), metadata);
    expect(readPredictions(path).epoch).to.equal(3);
  });

  it('are refused where they are missing', () => {
    expect(() => readPredictions(join(scratch, 'none'))).to.throw(UserError, 'none: no such file');
  });
});
