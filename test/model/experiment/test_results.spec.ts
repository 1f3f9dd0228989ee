import { expect } from 'chai';
import { ndarray } from '../../../formats/ndarray';
import type { Dataset } from '../../../model/data/dataset';
import { studentOf } from '../../../model/experiment/experiment';
import { parseParams } from '../../../model/experiment/params';
import type { Setup } from '../../../model/experiment/setup';
import { reduced, testResults } from '../../../model/experiment/test_results';
import { logitsTeacher } from '../../../model/teachers/teacher';

describe('testResults', () => {
  const size = 4000;
  const shape = [3, 8, 8] as const;
  const pixels = shape[0] * shape[1] * shape[2];
  // Each pixel of an image is its number modulo 256; three classes in turn.
  const test = {
    images: Uint8Array.from({ length: size * pixels }, (_, i) => Math.floor(i / pixels)),
    labels: Uint8Array.from({ length: size }, (_, i) => i % 3),
    size,
  };
  const normalize = { mean: [0, 0, 0], std: [1, 1, 1] };
  const dataset: Dataset = { name: 'numbers', classes: ['a', 'b', 'c'], shape, normalize, train: test, test };
  // Logits ln 8 for the true class and 0 for others: 8 / 10 at temperature 1, 2 / 4 at temperature 3.
  const teacher = logitsTeacher(3, {
    logits: ({ labels, size: count }) =>
      Promise.resolve(
        ndarray(
          'float32',
          [count, 3],
          Float32Array.from({ length: 3 * count }, (_, i) => (labels[Math.floor(i / 3)] === i % 3 ? Math.log(8) : 0)),
        ),
      ),
    release: () => Promise.resolve(),
  });
  const setupOf = (given: object, changes: Partial<Setup> = {}): Setup => {
    const params = parseParams({ model_version: 'cnn', learning_rate: 0.1, num_epochs: 1, ...given }, 'params.json');
    return { params, dataset, model: studentOf(params, dataset), teacher, ...changes } as Setup;
  };
  const taught = { teacher: 'resnet20', method: 'kd', temperature: 3 };
  /** Right but for every tenth image. */
  const predictions = {
    indices: Int32Array.from({ length: size }, (_, i) => i),
    labels: Int32Array.from(test.labels),
    predicted: Int32Array.from(test.labels, (label, i) => (i % 10 === 0 ? (label + 1) % 3 : label)),
    confidences: new Float32Array(size).fill(0.5),
  };

  it('asks the teacher about a sample, with its soft targets at the temperature of the run', async () => {
    const { teacher: told } = await testResults(setupOf(taught), predictions);
    expect(told!.indices).to.have.lengthOf(2000);
    expect([...told!.indices.slice(0, 3), told!.indices.at(-1)]).to.deep.equal([0, 2, 4, 3998]);
    expect(told!.labels.every((label, i) => label === told!.indices[i]! % 3 && label === told!.predicted[i])).to.equal(
      true,
    );
    expect(told!.temperature).to.equal(3);
    expect(told!.confidences[5]).to.be.closeTo(8 / 10, 1e-6);
    expect(told!.softConfidences[5]).to.be.closeTo(1 / 2, 1e-6);
    expect(told!.softEntropies[5]).to.be.closeTo(0.5 * Math.log(2) + 0.5 * Math.log(4), 1e-6);
  });

  it('takes temperature 1 where the method has none', async () => {
    const { teacher: told } = await testResults(setupOf({ teacher: 'resnet20', method: 'logits_mse' }), predictions);
    expect(told!.temperature).to.equal(1);
    expect(told!.softConfidences[5]).to.be.closeTo(8 / 10, 1e-6);
  });

  it('asks no teacher where there is none, or only logits of training images', async () => {
    expect((await testResults(setupOf({}, { teacher: undefined }), predictions)).teacher).to.equal(undefined);
    const cached = setupOf({ ...taught, augmentation: 'no', teacher: { logits: 'logits.npy' } });
    expect((await testResults(cached, predictions)).teacher).to.equal(undefined);
  });

  it('keeps images that the student gets wrong, or takes for something else than its teacher', async () => {
    const { images } = await testResults(setupOf(taught), predictions);
    expect(images!.shape).to.deep.equal(shape);
    expect(images!.indices).to.have.lengthOf(48);
    expect(images!.indices.every((index) => index % 10 === 0)).to.equal(true);
    expect(images!.pixels).to.have.lengthOf(48 * pixels);
    expect(images!.pixels[47 * pixels]).to.equal(images!.indices[47]! % 256);
    const allRight = { ...predictions, predicted: predictions.labels };
    expect((await testResults(setupOf(taught), allRight)).images!.indices).to.have.lengthOf(0);
    const logits = ({ size: count }: { size: number }) => Promise.resolve(ndarray('float32', [count, 3]));
    const fooled = logitsTeacher(3, { logits, release: () => Promise.resolve() });
    // All logits are 0: the teacher takes everything for the first class, and differs on two thirds.
    const differing = await testResults(setupOf(taught, { teacher: fooled }), allRight);
    expect(differing.images!.indices.every((index) => index % 3 !== 0)).to.equal(true);
  });

  it('keeps none that are neither gray nor RGB', async () => {
    const two = { ...dataset, shape: [2, 8, 12] as const };
    const { images } = await testResults(setupOf({}, { dataset: two, teacher: undefined }), predictions);
    expect(images).to.equal(undefined);
  });

  it('reduces large images to the mean of squares, cut off at the edge', () => {
    const planes = Uint8Array.of(...[0, 10, 20], ...[30, 40, 50], ...[1, 1, 1], ...[1, 1, 3]);
    expect([...reduced(planes, 2, 3, 2)]).to.deep.equal([20, 35, 1, 2]);
    expect(reduced(planes, 2, 3, 1)).to.equal(planes);
  });
});
