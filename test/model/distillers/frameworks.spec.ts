/** The names of other frameworks, as test/fixtures/make_frameworks.py found them in their files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { distillers } from '../../../model/distillers';
import { absent, countedIn, frameworks, namesIn } from '../../../model/distillers/frameworks';
import { parseParams } from '../../../model/experiment/params';
import { textOf } from '../../helpers/pages';

interface Found {
  readonly repository: string;
  readonly commit: string;
  readonly names: readonly string[];
}

const fixture = join(__dirname, '../../fixtures/frameworks.json');
const found = JSON.parse(readFileSync(fixture, 'utf8')) as Readonly<Record<string, Found>>;

describe('methods of other frameworks', () => {
  it('are those in their files, at the commit that is named', () => {
    expect(Object.keys(frameworks)).to.have.members(Object.keys(found));
    for (const [name, { repository, commit, methods }] of Object.entries(frameworks)) {
      expect({ repository, commit }, name).to.deep.equal({
        repository: found[name]!.repository,
        commit: found[name]!.commit,
      });
      expect(Object.keys(methods), name).to.have.members(found[name]!.names as string[]);
    }
  });

  it('are methods here, with options that they have, or listed as absent', () => {
    for (const [framework, { methods }] of Object.entries(frameworks)) {
      for (const [name, counterpart] of Object.entries(methods)) {
        const which = `${name} of ${framework}`;
        if (typeof counterpart !== 'string') {
          const options = JSON.parse(`{${counterpart.option}}`) as object;
          const teacher = distillers[counterpart.method]!.needsTeacher && { teacher: 'resnet18' };
          const method = { name: counterpart.method, ...options };
          const params = {
            model_version: 'resnet8',
            method,
            ...teacher,
            learning_rate: 1,
            batch_size: 1,
            num_epochs: 1,
          };
          expect(() => parseParams(params, which)).not.to.throw();
        } else if (counterpart !== 'building block') {
          expect(Object.hasOwn(distillers, counterpart) !== Object.hasOwn(absent, counterpart), which).to.equal(true);
        }
      }
    }
  });

  it('are counted in the README', () => {
    const readme = textOf('README.md').replaceAll('\n', ' ');
    const five = ['torchdistill', 'mdistiller', 'RepDistiller', 'KD_Lib', 'mmrazor'].map((name) => frameworks[name]!);
    for (const framework of five) {
      const { here, missing } = countedIn(framework);
      const name = framework.repository.split('/')[1]!;
      expect(readme).to.match(
        new RegExp(`\\b${here.length} of ${here.length + missing.length} (methods )?of ${name}\\b`),
      );
    }
    const only = Object.keys(distillers).filter(
      (name) => name !== 'nokd' && five.every((framework) => namesIn(framework, name).length === 0),
    );
    expect(readme).to.include(`${only.length} that none of these have`);
  });

  it('are counted once where a framework has several names for them', () => {
    const framework = {
      repository: 'a/b',
      commit: '1234567',
      files: 'one',
      methods: {
        NONE: 'nokd',
        Soft: 'kd',
        Softer: 'kd',
        Standardized: { method: 'kd', option: '"standardize": true' },
        Rest: 'KDSVD',
        Sum: 'building block',
      },
    };
    expect(countedIn(framework)).to.deep.equal({ here: ['kd', 'kd "standardize": true'], missing: ['KDSVD'] });
    expect(namesIn(framework, 'kd')).to.deep.equal([
      { name: 'Soft' },
      { name: 'Softer' },
      { name: 'Standardized', option: '"standardize": true' },
    ]);
  });
});
