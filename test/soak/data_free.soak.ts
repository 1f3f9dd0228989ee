/** experiments/data_free: a student that sees no image of the data set comes to half of its teacher's accuracy. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runFiles } from '../../runs/files';
import { readJson } from '../../utils/files';
import { readJsonIn } from '../helpers/train';
import { trainHere } from '../helpers/train_here';

const own = join(__dirname, '..', '..', 'experiments', 'data_free');

describe('a student without data', function () {
  this.timeout(60 * 60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'data-free-soak-'));
  after(() => rmSync(scratch, { recursive: true }));

  /** Trains the experiment of a folder with changes; returns its test accuracy. */
  async function accuracyOf(name: string, changes: object = {}): Promise<number> {
    const path = join(scratch, name);
    mkdirSync(path);
    const params = readJson(join(own, name, runFiles.params)) as object;
    writeFileSync(join(path, runFiles.params), JSON.stringify({ ...params, ...changes }));
    const { error } = await trainHere(['--model_dir', path]);
    expect(error).to.equal(undefined);
    return readJsonIn<{ accuracy: number }>(path, runFiles.test).accuracy;
  }

  it('comes to half of the accuracy of its teacher by data_free', async () => {
    const teacher = await accuracyOf('teacher');
    const { space } = readJson(join(own, 'students', 'search.json')) as { space: { method: { name: string }[] } };
    const method = space.method.find(({ name }) => name === 'data_free');
    const checkpoint = join(scratch, 'teacher', runFiles.best);
    const student = await accuracyOf('students', { method, teacher: { model: 'cifar_net', checkpoint } });
    console.log(`      teacher ${teacher.toFixed(3)}, student ${student.toFixed(3)}`);
    expect(teacher).to.be.above(0.7);
    expect(student).to.be.above(teacher / 2);
  });
});
