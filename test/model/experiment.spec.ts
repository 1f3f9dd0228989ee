/** The weights that a run starts from. */
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { State } from '../../engine/session';
import { initialWeights } from '../../model/experiment';
import { nets } from '../../model/nets';
import { evaluationGraph, shapesOf, type Model } from '../../model/programs';
import { UserError } from '../../utils/errors';
import type { NamedArrays } from '../../utils/ndarray';
import { writeSafetensors } from '../../utils/safetensors';
import { float32 } from '../helpers/engine';

const model: Model = {
  net: nets.cnn!.build,
  options: { classes: 10, numChannels: 2, dropoutRate: 0 },
  normalize: { mean: [0, 0, 0], std: [1, 1, 1] },
  input: [3, 32, 32],
};

describe('initialWeights', () => {
  let folder: string;
  let path: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'initial-'));
    path = join(folder, 'last.safetensors');
  });
  after(() => rmSync(folder, { recursive: true }));

  const student = State.initial(evaluationGraph(model)).arrays();
  const shapes = new Map([
    ...shapesOf(evaluationGraph(model)),
    ['distiller.ft.conv.weight', [4, 2]],
    ['distiller.ft.other.weight', [3]],
    ['optimizer.exp_avg.conv1.weight', [2, 3, 3, 3]],
  ]);
  const write = (beside: [string, ReturnType<typeof float32>][], weights: NamedArrays = student) =>
    writeSafetensors(path, new Map([...weights, ...beside]));
  const ofStudent = [...student.keys()];

  it('are those of the student, and of the layers beside it that fit', async () => {
    const kept = float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    write([
      ['distiller.ft.conv.weight', kept],
      ['distiller.ft.other.weight', float32([2], [1, 2])],
      ['distiller.kd.conv.weight', float32([2], [1, 2])],
    ]);
    const found = await initialWeights(path, model, shapes);
    expect([...found.keys()]).to.have.members([...ofStudent, 'distiller.ft.conv.weight']);
    expect(found.get('distiller.ft.conv.weight')).to.deep.equal(kept);
    for (const name of ofStudent) expect(found.get(name), name).to.deep.equal(student.get(name));
  });

  it('leave out what an optimizer kept', async () => {
    write([['optimizer.exp_avg.conv1.weight', float32([2, 3, 3, 3], new Float32Array(54))]]);
    expect([...(await initialWeights(path, model, shapes)).keys()]).to.have.members(ofStudent);
  });

  it('must be those of the student', async () => {
    const weights = new Map(student);
    weights.delete('fc2.bias');
    write([], weights);
    let message = '';
    await initialWeights(path, model, shapes).catch((error: unknown) => {
      expect(error).to.be.instanceOf(UserError);
      message = (error as UserError).message;
    });
    expect(message)
      .to.match(/fc2\.bias/)
      .and.contain(path);
  });
});
