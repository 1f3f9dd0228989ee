/** Every kind of teacher is judged by the labels before the first step, on validation images where it knows them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { State } from '../../../engine/session';
import { ndarray, type NamedArrays } from '../../../formats/ndarray';
import { writeNpy } from '../../../formats/npy';
import { writeSafetensors } from '../../../formats/safetensors';
import type { Dataset } from '../../../model/data/dataset';
import { makeShapes } from '../../../model/data/sets/shapes';
import { deployedModel, deploymentGraph } from '../../../model/evaluation/exported_model';
import type { Params } from '../../../model/experiment/params';
import { nets } from '../../../model/nets';
import { evaluationGraph, type Model } from '../../../model/nets/model';
import { loadTeacher } from '../../../model/teachers';
import type { TeacherParams } from '../../../model/teachers';
import { reportAgreement } from '../../../model/teachers/agreement';

const dataset = makeShapes({ train: 1300, test: 40, seed: 0 });
const { train, test } = dataset;
const student: Model = {
  net: nets.cifar_net!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0 },
  normalize: dataset.normalize,
  input: dataset.shape,
};
const held = { split: train, indices: Uint32Array.from({ length: 1000 }, (_, i) => i) };
const trained = { split: train, indices: Uint32Array.from({ length: 300 }, (_, i) => 1000 + i) };
const params = { dataset: { name: 'shapes', train: 1300, test: 40, seed: 0 } } as unknown as Params;

/** Weights that put every image into class 3, whatever is in it. */
function classThree(): NamedArrays {
  const weights = State.initial(evaluationGraph(student)).arrays();
  weights.set('fc3.weight', ndarray('float32', [10, 84]));
  weights.set('fc3.bias', ndarray('float32', [10], Float32Array.of(0, 0, 0, 9, 0, 0, 0, 0, 0, 0)));
  return weights;
}

/** The data set as if all of its images were of a class. */
function allOf(label: number): Dataset {
  const labels = (count: number) => new Uint8Array(count).fill(label);
  return { ...dataset, train: { ...train, labels: labels(1300) }, test: { ...test, labels: labels(40) } };
}

describe('the agreement of a teacher with the labels', () => {
  let folder: string;
  let teachers: Record<'checkpoint' | 'onnx' | 'logits', TeacherParams>;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'agreement-'));
    const [checkpoint, onnx, logits] = ['a.safetensors', 'a.onnx', 'a.npy'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const weights = classThree();
    writeSafetensors(checkpoint, weights);
    writeFileSync(onnx, deployedModel(deploymentGraph(student, weights), {}));
    const threes = Float32Array.from({ length: 13000 }, (_, i) => (i % 10 === 3 ? 9 : 0));
    writeNpy(logits, ndarray('float32', [1300, 10], threes));
    teachers = {
      checkpoint: { model: 'cifar_net', checkpoint, num_channels: 4 },
      onnx: { onnx, layout: 'NCHW', output: 'logits' },
      logits: { logits },
    };
  });
  after(() => rmSync(folder, { recursive: true }));

  /** What is told of a teacher; `validation` images that are not the training set's are those of the test set. */
  async function told(
    teacher: TeacherParams | TeacherParams[],
    data: Dataset,
    { isTest = false, logits }: { isTest?: boolean; logits?: Float32Array } = {},
  ): Promise<[string, string][]> {
    const lines: [string, string][] = [];
    const loaded = await loadTeacher(teacher, student, data, { threads: 1, log: () => {} });
    const validation = isTest
      ? { split: data.test, indices: Uint32Array.from({ length: 40 }, (_, i) => i) }
      : { ...held, split: data.train };
    const sources = { validation, train: { ...trained, split: data.train }, logits };
    await reportAgreement({ ...params, teacher }, loaded, data, sources, (level, line) => lines.push([level, line]));
    await loaded.release();
    return lines;
  }

  const advice = {
    checkpoint: '"normalize" and the order of its classes',
    onnx: '"layout", "channels", "range", "normalize" and the order of its classes, which "classes" changes',
    logits: 'that rows and columns are in the order of shapes',
  };
  const fileOf = (teacher: TeacherParams) =>
    Object.values(teacher as object)
      .map(String)
      .find((value) => value.startsWith(folder));

  for (const kind of ['checkpoint', 'onnx', 'logits'] as const) {
    it(`is told of 512 validation images, and warned of where it is little: ${kind}`, async () => {
      const line = (share: string) =>
        `Teacher ${fileOf(teachers[kind])}: agrees with the labels of ${share} % of 512 images`;
      expect(await told(teachers[kind], allOf(3))).to.deep.equal([['info', line('100.0')]]);
      expect(await told(teachers[kind], allOf(4))).to.deep.equal([
        ['warn', `${line('0.0')}; suspiciously low: check ${advice[kind]}`],
      ]);
    });

    it(`is of the images that the teacher knows where it validates on others: ${kind}`, async () => {
      const [[, line] = []] = await told(teachers[kind], allOf(3), { isTest: true });
      expect(line).to.include(kind === 'logits' ? '100.0 % of 300 images' : '100.0 % of 40 images');
    });
  }

  it('is told of each of several', async () => {
    const lines = await told([teachers.checkpoint, teachers.logits], allOf(3));
    expect(lines.map(([, line]) => line)).to.deep.equal(
      [teachers.checkpoint, teachers.logits].map(
        (one) => `Teacher ${fileOf(one)}: agrees with the labels of 100.0 % of 512 images`,
      ),
    );
  });

  it('is that of logits which are known, evenly spread', async () => {
    // The first 400 of 1,000 validation images are right: of 512 that are spread over them, 205.
    const logits = Float32Array.from({ length: 10_000 }, (_, i) => (i % 10 === (i < 4000 ? 4 : 5) ? 1 : 0));
    const [[level, line] = []] = await told(teachers.checkpoint, allOf(4), { logits });
    expect([level, / [\d.]+ % of \d+/.exec(line!)?.[0]]).to.deep.equal(['warn', ' 40.0 % of 512']);
  });
});
