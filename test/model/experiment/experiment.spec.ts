/** The weights that a run starts from. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { State } from '../../../engine/session';
import type { NamedArrays, TensorSpec } from '../../../formats/ndarray';
import { writeSafetensors } from '../../../formats/safetensors';
import { initialWeights, loadWeights } from '../../../model/experiment/experiment';
import { nets } from '../../../model/nets/index';
import { evaluationGraph, specsOf, type Model } from '../../../model/nets/model';
import { UserError } from '../../../utils/errors';
import { float32 } from '../../helpers/engine';

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
  const specs = new Map<string, TensorSpec>([
    ...specsOf(evaluationGraph(model)),
    ['distiller.ft.conv.weight', { dtype: 'float32', shape: [4, 2] }],
    ['distiller.ft.other.weight', { dtype: 'float32', shape: [3] }],
    ['distiller.crd.labels', { dtype: 'int32', shape: [2] }],
    ['optimizer.exp_avg.conv1.weight', { dtype: 'float32', shape: [2, 3, 3, 3] }],
  ]);
  const write = (beside: [string, ReturnType<typeof float32>][], weights: NamedArrays = student) =>
    writeSafetensors(path, new Map([...weights, ...beside]));
  const ofStudent = [...student.keys()];

  it('are those of the student, and of the layers beside it that fit', async () => {
    const kept = float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    write([
      ['distiller.ft.conv.weight', kept],
      ['distiller.ft.other.weight', float32([2], [1, 2])],
      ['distiller.crd.labels', float32([2], [1, 2])],
      ['distiller.kd.conv.weight', float32([2], [1, 2])],
    ]);
    const found = await initialWeights({ checkpoint: path }, model, specs);
    expect([...found.keys()]).to.have.members([...ofStudent, 'distiller.ft.conv.weight']);
    expect(found.get('distiller.ft.conv.weight')).to.deep.equal(kept);
    for (const name of ofStudent) expect(found.get(name), name).to.deep.equal(student.get(name));
  });

  it('leave out what an optimizer kept', async () => {
    write([['optimizer.exp_avg.conv1.weight', float32([2, 3, 3, 3], new Float32Array(54))]]);
    expect([...(await initialWeights({ checkpoint: path }, model, specs)).keys()]).to.have.members(ofStudent);
  });

  it('leave out what is to be skipped, whatever the file has there', async () => {
    const weights = new Map(student).set('fc2.weight', float32([7, 7], new Float32Array(49)));
    weights.set('fc2.extra', float32([1], [1]));
    write([], weights);
    const found = await initialWeights({ checkpoint: path, skip: ['fc2'] }, model, specs);
    expect([...found.keys()]).to.have.members(ofStudent.filter((name) => !name.startsWith('fc2.')));
    let message = '';
    await initialWeights({ checkpoint: path, skip: ['head'] }, model, specs).catch((error: unknown) => {
      message = (error as UserError).message;
    });
    expect(message).to.match(/^"init\.skip": "head" matches no parameter of the network; parameter names begin with /);
  });

  it('are those under a key, under the names of the network, and what the file is told', async () => {
    const other = [...student].map(([name, array]) => [`ema.${name.replace('fc2', 'head')}`, array] as const);
    writeSafetensors(path, new Map(other));
    const found = await initialWeights({ checkpoint: path, key: 'ema', rename: { head: 'fc2' } }, model, specs);
    for (const name of ofStudent) expect(found.get(name), name).to.deep.equal(student.get(name));
    const lines: string[] = [];
    const skip = ['fc2'];
    const rest = await initialWeights({ checkpoint: path, skip: [...skip, 'head'] }, model, specs, (line) =>
      lines.push(line),
    );
    expect([...rest.keys()]).to.have.members(ofStudent.filter((name) => !name.startsWith('fc2')));
    expect(lines).to.deep.equal([`${path}: removes the prefix "ema." from names`]);
  });

  it('are told by their content where they are in an ONNX file', async () => {
    const onnx = join(folder, 'weights.bin');
    copyFileSync('test/fixtures/torch_export_weights.onnx', onnx);
    const error: unknown = await initialWeights({ checkpoint: onnx }, model, specs).catch((thrown: unknown) => thrown);
    expect((error as UserError).message).to.match(/weights\.bin: does not fit the network: /);
  });

  it('may be called as files of others call them', async () => {
    const own = { ...model, net: nets.simplenet!.build, aliases: nets.simplenet!.aliases };
    const weights = State.initial(evaluationGraph(own)).arrays();
    const others = [...weights].map(([name, array]) => [name.replace(/^bn/, 'batchnoorm'), array] as const);
    writeSafetensors(path, new Map(others));
    expect([...others.map(([name]) => name)]).to.include('batchnoorm2.running_var');
    const found = await loadWeights(path, own);
    expect([...found]).to.deep.equal([...weights]);
  });

  it('are the best ones where a run is named by its directory', async () => {
    const run = join(folder, 'run');
    mkdirSync(run);
    writeSafetensors(join(run, 'best.safetensors'), student);
    const found = await initialWeights({ checkpoint: run }, model, specs);
    for (const name of ofStudent) expect(found.get(name), name).to.deep.equal(student.get(name));
  });

  it('of a run to be evaluated are those of the student alone', async () => {
    write([['distiller.ft.conv.weight', float32([4, 2], new Float32Array(8))]]);
    expect([...(await loadWeights(path, model))]).to.deep.equal([...student]);
  });

  it('must be those of the student', async () => {
    const weights = new Map(student);
    weights.delete('fc2.bias');
    write([], weights);
    let message = '';
    await initialWeights({ checkpoint: path }, model, specs).catch((error: unknown) => {
      expect(error).to.be.instanceOf(UserError);
      message = (error as UserError).message;
    });
    expect(message)
      .to.match(/fc2\.bias/)
      .and.contain(path);
  });
});
