/**
 * Tests train.ts and search_hyperparams.ts. Runs and searches that an earlier version began resume here, to the results it
 * would have come to. The fixtures are of version 0.1.0 at the commit 03c9333: a run that was interrupted in its second epoch,
 * a search after the first of its four trials, and what both end with there when nobody interrupts them. Their params have
 * names that have changed since.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensors } from '../formats/safetensors';
import { runScript } from './helpers/train';

const fixtures = join(__dirname, 'fixtures', 'earlier_version');

/** Bits depend on the processor and on the order of sums: the results are as near as single precision lets them be. */
const NEAR = 1e-4;

/**
 * A bias before BatchNorm moves the mean that BatchNorm takes off again: its gradient is nothing but rounding, of which Adam makes
 * steps of full size. Validation sees them, as the running mean lags behind.
 */
const LOSS_NEAR = 1e-3;
const WITHOUT_EFFECT = /(conv\d|fc1)\.bias|bn\d\.running_mean/;

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('what an earlier version began', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'earlier-'));
  before(() => cpSync(fixtures, scratch, { recursive: true }));
  after(() => rmSync(scratch, { recursive: true }));

  it('is a run that resumes amid its epoch and ends as it would have', async () => {
    const run = join(scratch, 'run');
    const { stdout, stderr, exitCode } = await runScript('train.ts', scratch, ['--model_dir', 'run']);
    expect([stderr, exitCode]).to.deep.equal(['', 0]);
    expect(stdout).to.contain('\nResuming after epoch 1, step 2\n');
    const expected = readSafetensors(join(scratch, 'expected', 'last.safetensors')).tensors;
    const { tensors } = readSafetensors(join(run, 'last.safetensors'));
    expect([...tensors.keys()]).to.have.members([...expected.keys()]);
    for (const [name, { data }] of expected) {
      if (WITHOUT_EFFECT.test(name)) continue;
      const values = Array.from(tensors.get(name)!.data, Number);
      Array.from(data, Number).forEach((value, i) => expect(values[i], name).to.be.closeTo(value, NEAR));
    }
    const losses = (path: string) => linesOf(path).map(({ val }) => (val as { loss: number }).loss);
    const ends = losses(join(scratch, 'expected', 'metrics.jsonl'));
    losses(join(run, 'metrics.jsonl')).forEach((loss, i) => expect(loss).to.be.closeTo(ends[i]!, LOSS_NEAR));
  });

  it('is a search that goes on with the trials that it would have had, and their results', async () => {
    const search = join(scratch, 'search');
    const { stderr, exitCode } = await runScript('search_hyperparams.ts', scratch, ['--parent_dir', 'search']);
    expect([stderr.replace(/^warning:.*\n/gm, ''), exitCode]).to.deep.equal(['', 0]);
    const results = (path: string) => linesOf(path).filter(({ event }) => event === 'finished');
    const expected = results(join(scratch, 'expected', 'search.journal.jsonl'));
    const found = results(join(search, 'search.journal.jsonl'));
    expect(found.map(({ name }) => name)).to.deep.equal(expected.map(({ name }) => name));
    found.forEach(({ value }, i) => expect(value).to.be.closeTo(Number(expected[i]!.value), 0.1));
  });

  it('is a run that other scripts read', async () => {
    const run = join('search', 'alpha_0.746187_temperature_8');
    for (const args of [
      ['evaluate.ts', '--model_dir', run],
      ['synthesize_results.ts', '--parent_dir', 'search'],
    ]) {
      const { exitCode, stdout } = await runScript(args[0]!, scratch, args.slice(1));
      expect(exitCode, stdout).to.equal(0);
      expect(stdout).to.match(/accuracy/);
    }
  });
});
