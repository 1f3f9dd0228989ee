/** Tests docs/. The pages list every method under the family that its file is in. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { distillers } from '../../model/distillers';
import { root, textOf } from '../helpers/pages';

/** Folders of model/distillers, what the README calls them, and the sections of docs/methods.md. */
const families: Readonly<Record<string, readonly [row: string, section: string]>> = {
  logits: ['logits', 'Logits'],
  features: ['features', 'Features'],
  relations: ['relations between examples or layers', 'Relations'],
  self: ['itself, without a teacher', 'Self-distillation'],
  online: ['its peers or branches (online)', 'Online'],
  data_free: ['a teacher, without data', 'Without data'],
};

/** The names of the methods of each family: those whose file in the folder has them by name in index.ts. */
function methodsOf(family: string): string[] {
  const folder = join(root, 'model', 'distillers');
  const files = readdirSync(join(folder, family)).map((name) => name.replace('.ts', ''));
  const index = readFileSync(join(folder, 'index.ts'), 'utf8');
  const imported = files.flatMap((file) => {
    const [, names = ''] = new RegExp(`import \\{ ([^}]+) \\} from '\\./${family}/${file}'`).exec(index) ?? [];
    return names.split(', ').filter((name) => name !== '');
  });
  const listed = [...index.matchAll(/^ {2}(\w+)(?:: (\w+))?,$/gm)];
  return listed.filter(([, name, variable = name!]) => imported.includes(variable)).map(([, name]) => name!);
}

const namesIn = (text: string) => new Set([...text.matchAll(/`(\w+)`/g)].map(([, name]) => name!));

describe('methods in the pages', () => {
  it('have a family each, but for cross-entropy alone', () => {
    expect(Object.keys(families).flatMap(methodsOf)).to.have.members(
      Object.keys(distillers).filter((name) => name !== 'nokd'),
    );
  });

  for (const [family, [row, section]] of Object.entries(families)) {
    it(`of ${family} are in the README and in docs/methods.md`, () => {
      const methods = methodsOf(family);
      expect(methods).not.to.deep.equal([]);
      const readme = textOf('README.md')
        .split('\n')
        .find((line) => line.startsWith(`| ${row} |`));
      const inReadme = namesIn(readme!);
      expect(methods).to.include.members([...inReadme]);
      for (const name of methods) {
        const aliases = methods.filter((other) => distillers[other] === distillers[name]);
        expect(
          aliases.some((one) => inReadme.has(one)),
          name,
        ).to.equal(true);
      }
      const [, own = ''] = textOf('docs/methods.md').split(new RegExp(`^## ${section}$`, 'm'));
      const table = own
        .split(/^## /m)[0]!
        .split('\n')
        .filter((line) => line.startsWith('| `'))
        .join('\n');
      expect([...namesIn(table)]).to.include.members(methods);
    });
  }
});
