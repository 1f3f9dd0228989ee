/** Tests model/teachers/. A teacher's own normalization has as many values as the images have channels, one or three. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { State } from '../../../engine/session';
import { writeSafetensors } from '../../../formats/safetensors';
import type { StoredDataset } from '../../../model/data/dataset';
import type { NormalizeParams } from '../../../model/data/normalize';
import { deployedModel, deploymentGraph } from '../../../model/evaluation/exported_model';
import { nets } from '../../../model/nets';
import { evaluationGraph, type Model } from '../../../model/nets/model';
import { loadTeacher } from '../../../model/teachers';
import type { TeacherParams } from '../../../model/teachers';
import type { CheckpointTeacherParams } from '../../../model/teachers/checkpoint';
import { UserError } from '../../../utils/errors';
import { Random } from '../../../utils/random';
import { expectClose } from '../../helpers/engine';

const values = (channels: number, value: number) => Array<number>(channels).fill(value);

/** Six images of noise with so many channels. */
function noiseOf(channels: 1 | 3): StoredDataset {
  const pixels = new Float32Array(6 * channels * 32 * 32);
  new Random(0, 'noise').fillUniform(pixels, 0, 256);
  const split = { images: Uint8Array.from(pixels), labels: Uint8Array.of(0, 1, 2, 0, 1, 2), size: 6 };
  const normalize = { mean: values(channels, 0.5), std: values(channels, 0.25) };
  return {
    name: 'noise',
    classes: ['a', 'b', 'c'],
    shape: [channels, 32, 32],
    normalize,
    train: split,
    test: split,
  };
}

describe('the normalization of a teacher', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'normalize-'))));
  after(() => rmSync(folder, { recursive: true }));

  for (const channels of [1, 3] as const) {
    const dataset = noiseOf(channels);
    const student: Model = {
      net: nets.resnet8!.build,
      options: { classes: 3, numChannels: 4, dropoutRate: 0 },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const other = { mean: values(channels, 0.1), std: values(channels, 0.5) };
    let onnx: string;
    before(() => (onnx = join(folder, `${channels}.onnx`)));

    it(`is its own, the student's, or that in its file, of images with ${channels} channel(s)`, async () => {
      const weights = State.initial(evaluationGraph(student)).arrays();
      const checkpoint = join(folder, `${channels}.safetensors`);
      writeSafetensors(checkpoint, weights);
      // An exported file normalizes by itself: with the teacher's own values in it, it is fed pixels as they are.
      writeFileSync(onnx, deployedModel(deploymentGraph({ ...student, normalize: other }, weights), {}));

      const { images, labels, size } = dataset.train;
      const batch = { images, labels: Int32Array.from(labels), indices: Uint32Array.of(0, 1, 2, 3, 4, 5), size };
      const logitsOf = async (params: TeacherParams, model = student) => {
        const teacher = await loadTeacher(params, model, dataset, { threads: 1, log: () => {} });
        const logits = await teacher.logits(batch);
        await teacher.release();
        return logits;
      };
      const net = (normalize?: NormalizeParams): CheckpointTeacherParams => ({
        model: 'resnet8',
        checkpoint,
        num_channels: 4,
        ...(normalize && { normalize }),
      });
      const expected = await logitsOf(net(), { ...student, normalize: other });
      expect(expected).to.not.deep.equal(await logitsOf(net()));
      expect(await logitsOf(net(other))).to.deep.equal(expected);
      const file = { onnx, layout: 'NCHW', output: 'logits' } as const;
      expectClose(await logitsOf(file), expected, 1e-4);
      const unit = { mean: values(channels, 0), std: values(channels, 1) };
      expect(await logitsOf({ ...file, normalize: unit })).to.deep.equal(await logitsOf(file));
    });

    it(`is refused in one line where it is not of ${channels} channel(s)`, async () => {
      const wrong = { mean: values(channels, 0), std: values(4 - channels, 1) };
      const teachers: [string, TeacherParams][] = [
        ['the teacher resnet8', { model: 'resnet8', num_channels: 4, normalize: wrong }],
        [onnx, { onnx, layout: 'NCHW', output: 'logits', normalize: wrong }],
      ];
      for (const [name, params] of teachers) {
        const error: unknown = await loadTeacher(params, student, dataset, { threads: 1, log: () => {} }).catch(
          (thrown: unknown) => thrown,
        );
        expect(error).to.be.instanceOf(UserError);
        expect((error as Error).message).to.equal(
          `${name}: "normalize.std" is [${wrong.std.join(', ')}], ` +
            `accepted is an array of ${channels}, one number for each channel of the images of noise`,
        );
      }
    });
  }
});
