/** The runs that a params.json stands for, by a method whose stages are known here. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { located } from '../../../model/experiment/own_paths';
import { plannedRuns } from '../../../model/experiment/stages';
import { UserError } from '../../../utils/errors';
import { writeJson } from '../../../utils/files';

/** A method of `count` stages of which the first have `epochs` epochs; further ones start from the one before. */
const source = `exports.default = {
  options: { count: { type: 'integer', default: 3 }, epochs: { type: 'integer', default: 5 }, stage: { enum: ['early'] } },
  needsTeacher: false,
  losses: () => ({}),
  stages: ({ count, epochs, stage }, params) =>
    stage !== undefined ? [] : Array.from({ length: count }, (_, i) => ({
      name: 'part' + i,
      changes: (before) => ({
        ...(i < count - 1 && { num_epochs: epochs, method: { name: params.method[0].name, stage: 'early' } }),
        ...(before !== undefined && { init: { checkpoint: before + '/last.safetensors' } }),
      }),
    })),
};`;

describe('plannedRuns', () => {
  let folder: string;
  let name: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'stages-'));
    name = join(folder, 'staged.cjs');
    writeFileSync(name, source);
  });
  after(() => rmSync(folder, { recursive: true }));

  const plain = { model_version: 'cnn', learning_rate: 0.1, num_epochs: 2 };
  const planned = (changes: object) => {
    writeJson(join(folder, 'params.json'), { ...plain, ...changes });
    return plannedRuns(folder);
  };

  it('is the run itself where its method has no stages', () => {
    const [one, ...others] = planned({ seed: 7 });
    expect(others).to.deep.equal([]);
    expect(one).to.deep.include({ isStage: false, given: { ...plain, seed: 7 } });
    expect(one!.directory).to.equal(folder);
    expect(one!.params).to.include({ seed: 7, num_epochs: 2 });
  });

  it('is a run for each stage, every one with a params.json and a directory of its own', () => {
    const runs = planned({ method: { name }, seed: 7 });
    const directories = ['stages/1_part0', 'stages/2_part1', ''].map((path) => join(folder, path));
    expect(runs.map(({ directory }) => directory)).to.deep.equal([...directories.slice(0, 2), folder]);
    const early = { ...plain, seed: 7, num_epochs: 5, method: { name, stage: 'early' } };
    const [first, second] = ['../1_part0', 'stages/2_part1'].map((before) => ({
      init: { checkpoint: `{model_dir}/${before}/last.safetensors` },
    }));
    const itself = { ...plain, seed: 7, method: { name } };
    expect(runs.map(({ given }) => given)).to.deep.equal([early, { ...early, ...first }, itself]);
    expect(runs.map(({ isStage }) => isStage)).to.deep.equal([true, true, false]);
    expect(runs.map(({ params }) => params.num_epochs)).to.deep.equal([5, 5, 2]);
    expect(runs.map(({ params }) => params.init)).to.deep.equal([undefined, first!.init, second!.init]);
    const found = runs.map(({ params, directory }) => located(params, directory).init?.checkpoint);
    expect(found).to.deep.equal([undefined, ...directories.slice(0, 2).map((path) => join(path, 'last.safetensors'))]);
    expect(runs.map(({ params }) => params.seed)).to.deep.equal([7, 7, 7]);
    expect(runs.map(({ params }) => params.method[0]!.stage)).to.deep.equal(['early', 'early', undefined]);
  });

  it('is planned alike each time, and a stage alone is one run', () => {
    expect(planned({ method: { name } })).to.deep.equal(planned({ method: { name } }));
    expect(planned({ method: { name, stage: 'early' } })).to.have.length(1);
    expect(planned({ method: { name, count: 1 } })).to.have.length(1);
  });

  it('names the stage whose params are wrong', () => {
    const path = join(folder, 'params.json');
    expect(() => planned({ method: { name, epochs: 0 } })).to.throw(
      UserError,
      `${path}, stage "part0": "num_epochs" must be >= 1, got 0`,
    );
  });
});
