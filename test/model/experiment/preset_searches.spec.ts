/** Tests experiments/ and model/experiment/. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readExperiment } from '../../../model/experiment/experiment';
import { parseParams, searches } from '../../../model/experiment/params/parse';
import type { Params } from '../../../model/experiment/params/types';
import { readSettings } from '../../../search/settings/settings';
import { makePoint, valueAt, type Point, type Space } from '../../../search/space/space';
import { childParams } from '../../../search/trials/child_params';
import { UserError } from '../../../utils/errors';
import { readJson } from '../../../utils/files';

const ROOT = join(__dirname, '../../..');

/** The params.json of every point of a grid, checked. */
function childrenOf(directory: string): Params[] {
  const parent = join(ROOT, directory, 'params.json');
  const { space, sampler } = readSettings(join(ROOT, directory, 'search.json'));
  expect(sampler.name).to.equal('grid');
  return points(space).map((point) => {
    const child = childParams(readJson(parent) as Record<string, unknown>, point, parent);
    return parseParams(child, parent);
  });
}

function points(space: Space): Point[] {
  const sizes = space.map((dimension) => (dimension.kind === 'choice' ? dimension.values.length : 0));
  return Array.from({ length: sizes.reduce((product, size) => product * size, 1) }, (_, number) => {
    let rest = number;
    return makePoint(space, (dimension, i) => {
      const value = valueAt(dimension, rest % sizes[i]!);
      rest = Math.floor(rest / sizes[i]!);
      return value;
    });
  });
}

describe('searches that other tools call methods', () => {
  it('kdparam is the grid of 5 weights and 5 temperatures', () => {
    const children = childrenOf(searches.kdparam!);
    expect(new Set(children.map(({ alpha, temperature }) => `${alpha} ${temperature}`)).size).to.equal(25);
    expect(new Set(children.map(({ alpha }) => alpha))).to.deep.equal(new Set([0.1, 0.4, 0.5, 0.7, 1]));
    expect(new Set(children.map(({ temperature }) => temperature))).to.deep.equal(new Set([1, 5, 10, 15, 20]));
  });

  it('allkd tries seven teachers, each with an experiment that trains it', () => {
    const children = childrenOf(searches.allkd!);
    expect(children).to.have.length(7);
    for (const { teacher } of children) {
      const { model } = teacher as { model: string };
      const own = readExperiment(join(ROOT, 'experiments', `base_${model}`, 'params.json'));
      expect(own.params).to.include({ model_version: model });
    }
  });

  for (const [name, directory] of Object.entries(searches)) {
    it(`${name} as a method is one line that names ${directory}`, () => {
      expect(existsSync(join(ROOT, directory, 'search.json'))).to.equal(true);
      for (const method of [name, { name }, ['kd', name]]) {
        const params = { model_version: 'resnet8', learning_rate: 0.1, num_epochs: 1, alpha: -1, method };
        expect(() => parseParams(params, 'x/params.json')).to.throw(
          UserError,
          `x/params.json: "method" "${name}" is a search, not the method of one run: ` +
            `copy ${directory} and pass the copy to search_hyperparams.ts as --parent_dir`,
        );
      }
    });
  }
});
