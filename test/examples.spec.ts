/** The examples work as they are, and are those that the README shows. */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..');

describe('the examples', function () {
  this.timeout(120_000);
  const readme = readFileSync(join(root, 'README.md'), 'utf8');

  for (const name of ['my_distiller.ts', 'own_loop.ts']) {
    it(`${name} is in the README`, () => {
      const text = readFileSync(join(root, 'examples', name), 'utf8').trimEnd();
      expect(readme).to.include(text.replace(/^(?=.)/gm, '    '));
    });
  }

  it('a loop of one’s own trains and validates three times', () => {
    const argv = [require.resolve('ts-node/dist/bin'), join(root, 'examples/own_loop.ts')];
    const lines = execFileSync(process.execPath, argv, { cwd: root, encoding: 'utf8' }).trimEnd().split('\n');
    const losses = lines.map((line) => Number(/loss ([\d.]+)/.exec(line)?.[1]));
    expect(losses).to.have.length(3);
    expect(losses[2]).to.be.below(losses[0]!);
  });

  it('a method of one’s own is described with its options', () => {
    const argv = [
      require.resolve('ts-node/dist/bin'),
      join(root, 'train.ts'),
      '--describe',
      './examples/my_distiller.ts',
    ];
    const text = execFileSync(process.execPath, argv, { cwd: root, encoding: 'utf8' });
    for (const part of ['weight', '10', 'losses: surplus, ce', 'teacher: logits']) expect(text).to.include(part);
  });
});
