/** What a run is made of besides its params: a teacher's weights beside its file, and the names of its classes. */
import { appendFileSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makeShapes } from '../../../model/data/sets/shapes';
import { inputsOf, isPathKey, changedInputs } from '../../../model/experiment/inputs';
import type { Params } from '../../../model/experiment/params';
import type { OnnxTeacherParams } from '../../../model/teachers/onnx/params';

const fixtures = 'test/fixtures/onnx_teachers';
const dataset = { ...makeShapes({ train: 4, test: 4, seed: 0 }), name: 'shapes' };

describe('ingredients of a run with an ONNX teacher', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ingredients-'));
    for (const file of ['elsewhere.onnx', 'weights.bin', 'names.txt'])
      copyFileSync(join(fixtures, file), join(folder, file));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const found = (classes: OnnxTeacherParams['classes']) => {
    const onnx = join(folder, 'elsewhere.onnx');
    const teacher = { onnx, layout: 'NCHW', output: 'logits', ...(classes !== undefined && { classes }) };
    return inputsOf({ model_version: 'cnn', method: [{ name: 'kd' }], teacher } as unknown as Params, dataset, folder);
  };
  const names = () => found(join(folder, 'names.txt'));

  it('are its weights in another file', () => {
    const before = names();
    appendFileSync(join(folder, 'weights.bin'), 'x');
    expect(changedInputs(before, names(), [])).to.deep.equal([
      '{model_dir}/weights.bin is not the teacher weights that the run started with',
    ]);
  });

  it('are the names of its classes, wherever they lie', () => {
    expect(isPathKey('teacher.classes')).to.equal(true);
    expect(isPathKey('teacher.classes.3')).to.equal(false);
    const before = names();
    copyFileSync(join(folder, 'names.txt'), join(folder, 'moved.txt'));
    const moved = () => found(join(folder, 'moved.txt'));
    expect(changedInputs(before, moved(), ['teacher.classes'])).to.deep.equal([]);
    appendFileSync(join(folder, 'moved.txt'), 'x');
    expect(changedInputs(before, moved(), ['teacher.classes'])).to.deep.equal([
      '{model_dir}/moved.txt is not the teacher names that the run started with',
    ]);
  });

  it('are not the same where columns by number become columns by name, or there were none', () => {
    for (const other of [[1, 0], undefined]) {
      for (const [before, now] of [
        [found(other), names()],
        [names(), found(other)],
      ] as const) {
        expect(changedInputs(before, now, ['teacher.classes'])).to.deep.equal(['"teacher.classes" changed']);
      }
    }
  });

  it('were fewer in runs that began before they were kept', () => {
    const now = names();
    const { teacher } = now.files;
    const weights = now.files.teacher_weights;
    expect(weights).to.not.equal(undefined);
    expect(changedInputs({ data: now.data, files: { teacher: teacher! } }, found(undefined), [])).to.deep.equal([]);
  });
});
