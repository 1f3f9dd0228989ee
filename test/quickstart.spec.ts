/** The quickstart on small experiments: two students, and the table that the README shows. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { experiment, runScript } from './helpers/train';

describe('quickstart.ts', function () {
  this.timeout(120_000);
  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'quickstart-'))));
  after(() => rmSync(scratch, { recursive: true, force: true }));

  it('trains both students and prints a table of the README’s form', async () => {
    for (const name of ['alone', 'distilled']) experiment(join(scratch, name), { num_epochs: 1 });
    const { exitCode, stdout, stderr } = await runScript('quickstart.ts', scratch, ['--parent_dir', scratch]);
    expect({ exitCode, stderr }).to.deep.equal({ exitCode: 0, stderr: '' });
    const scores = ['alone', 'distilled'].map((name) => {
      const path = join(scratch, name, 'metrics_test_best_weights.json');
      return 100 * (JSON.parse(readFileSync(path, 'utf8')) as { accuracy: number }).accuracy;
    });
    const numbers = (text: string) => [...text.matchAll(/-?\d+\.\d\d/g)].map(([number]) => Number(number));
    const form = (text: string) => text.replace(/-?\d+\.\d\d/g, '00.00').replace(/[ ─]+/g, ' ');
    const [table, next] = stdout.slice(stdout.indexOf('┌')).split('\nNext: ') as [string, string];
    expect(next).to.include(`npx ts-node synthesize_results.ts --parent_dir ${scratch} --format html`);
    expect(numbers(table)).to.deep.equal([...scores, scores[1]! - scores[0]!].map((value) => Number(value.toFixed(2))));
    const readme = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');
    expect(form(readme)).to.include(form(table.trimEnd()));
  });
});
