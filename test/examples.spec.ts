/** The examples work as they are, and are those that the pages show. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const root = join(__dirname, '..');

describe('the examples', function () {
  this.timeout(120_000);
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  const shown = {
    'my_distiller.ts': 'docs/methods.md',
    'my_net.ts': 'docs/students.md',
    'own_loop.ts': 'docs/code.md',
    'own_search.ts': 'docs/code.md',
  };

  for (const [name, page] of Object.entries(shown)) {
    it(`${name} is in ${page}`, () => {
      expect(read(page)).to.include(`\`\`\`ts\n${read(join('examples', name))}\`\`\``);
    });
  }

  it('the loop of the README is that of own_loop.ts, line by line', () => {
    const [, block = ''] = /```ts\n([^]*?)```/.exec(read('README.md')) ?? [];
    const lines = block.split('\n').map((line) => line.trim());
    const example = read('examples/own_loop.ts')
      .split('\n')
      .map((line) => line.trim());
    expect(lines.length).to.be.within(12, 20);
    let place = 0;
    for (const line of lines) {
      const found = example.indexOf(line, place);
      if (line !== '') expect(found, line).to.be.at.least(place);
      place = Math.max(place, found);
    }
  });

  it('a loop of one’s own trains and validates three times', () => {
    const argv = [require.resolve('ts-node/dist/bin'), join(root, 'examples/own_loop.ts')];
    const lines = execFileSync(process.execPath, argv, { cwd: root, encoding: 'utf8' }).trimEnd().split('\n');
    const losses = lines.map((line) => Number(/loss ([\d.]+)/.exec(line)?.[1]));
    expect(losses).to.have.length(3);
    expect(losses[2]).to.be.below(losses[0]!);
    const accuracies = lines.map((line) => Number(/accuracy ([\d.]+)/.exec(line)?.[1]));
    expect(accuracies[2]).to.be.above(0.3);
  });

  it('a search of one’s own comes near the minimum and prunes', () => {
    const argv = [require.resolve('ts-node/dist/bin'), join(root, 'examples/own_search.ts')];
    const text = execFileSync(process.execPath, argv, { cwd: root, encoding: 'utf8' });
    const [, best, pruned] = /^best ([\d.]+) at \{"x":[\d.]+,"shape":"bowl"\}, (\d+) pruned\n$/.exec(text)!;
    expect(Number(best)).to.be.below(0.1);
    expect(Number(pruned)).to.be.within(1, 30);
  });

  for (const [name, parts] of Object.entries({
    'my_distiller.ts': ['weight', '10', 'losses: surplus, ce', 'teacher: logits'],
    'other_view.ts': ['losses: ce, kd', 'teacher: logits@crop+flip'],
    'misaligned.ts': ['losses: ce, kd', 'scaled', 'further keys of params.json: alpha, temperature, kl_reduction'],
  })) {
    it(`the method of ${name} is described with its options`, () => {
      const argv = [require.resolve('ts-node/dist/bin'), join(root, 'train.ts'), '--describe', `./examples/${name}`];
      const text = execFileSync(process.execPath, argv, { cwd: root, encoding: 'utf8' });
      for (const part of parts) expect(text).to.include(part);
    });
  }
});
