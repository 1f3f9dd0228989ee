/** Searches with a trainer that only waits: what becomes of trials that go well, fail, hang or are hopeless. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readMetadata, writeSafetensors } from '../../formats/safetensors';
import { lockState } from '../../runs/lock';
import { readJournal } from '../../search/journal';
import { UserError } from '../../utils/errors';
import { countOf, childrenOf, makeSearch, runSearch, statesIn, weightsAfter } from '../helpers/searching';
import { readJsonIn } from '../helpers/train';

describe('a search', function () {
  this.timeout(20_000);
  const directories: string[] = [];
  after(() => directories.forEach((directory) => rmSync(directory, { recursive: true, force: true })));
  const prepare: typeof makeSearch = (...args) => {
    const directory = makeSearch(...args);
    directories.push(directory);
    return directory;
  };
  const journalOf = (directory: string) => readJournal(join(directory, 'search.journal.jsonl'));
  const ofKind = (directory: string, kind: string) => journalOf(directory).filter(({ event }) => event === kind);

  it('trains every point once, in a directory that says all, and replaces what ends at once', async () => {
    const space = { alpha: [0.1, 0.9, 0.5], epoch_ms: [20, 700] };
    const directory = prepare({ space, n_jobs: 2, threads_per_trial: 3 }, { num_epochs: 2 });
    const { error, snapshots } = await runSearch(directory);
    expect(error).to.equal(undefined);
    const names = childrenOf(directory);
    expect(names).to.have.lengthOf(6);
    expect(statesIn(directory)).to.deep.equal(Object.fromEntries(names.map((name) => [name, 'complete'])));
    for (const name of names)
      expect([countOf('starts', directory, name), countOf('ends', directory, name)]).to.deep.equal([1, 1]);
    const params = JSON.parse(readFileSync(join(directory, 'alpha_0.9_epoch_ms_20', 'params.json'), 'utf8')) as unknown;
    expect(params).to.deep.equal({ num_epochs: 2, epoch_ms: 20, alpha: 0.9, threads: 3 });
    expect(Math.max(...snapshots.map(({ running }) => running.length))).to.equal(2);
    expect(snapshots.at(-1)!.best!.name).to.match(/^alpha_0.9/);
    expect(snapshots.at(-1)!.counts).to.deep.equal({ complete: 6, pruned: 0, failed: 0, running: 0 });
    // A trial takes the place of one that has ended while the first slow one runs on.
    const order = journalOf(directory).map((one) => ('name' in one ? `${one.event} ${one.name}` : one.event));
    expect(order.indexOf('started alpha_0.9_epoch_ms_20')).to.be.below(
      order.indexOf('finished alpha_0.1_epoch_ms_700'),
    );
  });

  it('starts a failed trial again, and records one that fails for good with its last words', async () => {
    const space = { behavior: ['fail_once', 'fail', 'good'] };
    const directory = prepare({ space, n_jobs: 3, retries: 2 });
    const { error } = await runSearch(directory);
    expect(error).to.equal(undefined);
    expect(statesIn(directory)).to.deep.equal({
      behavior_fail_once: 'complete',
      behavior_fail: 'failed',
      behavior_good: 'complete',
    });
    expect(countOf('starts', directory, 'behavior_fail')).to.equal(3);
    expect(countOf('starts', directory, 'behavior_fail_once')).to.equal(2);
    const [failure] = ofKind(directory, 'failed');
    expect(failure).to.include({ name: 'behavior_fail', repeat: 0, reason: 'error: the last word' });
  });

  it('says once how often a teacher agrees with the labels', async () => {
    const said = (teacher: string, share: string) =>
      `Teacher ${teacher}: agrees with the labels of ${share} % of 512 images`;
    const teachers = [
      `INFO: ${said('a.pth', '80.1')}`,
      `WARNING: ${said('b.pth', '24.0')}`,
      `INFO: ${said('a.pth', '79.9')}`,
    ];
    const directory = prepare({ space: { teacher: teachers, alpha: [0.1, 0.5] }, n_jobs: 1 }, { num_epochs: 1 });
    const { error, lines } = await runSearch(directory);
    expect(error).to.equal(undefined);
    const told = lines.filter((line) => line.startsWith('Teacher '));
    expect(told).to.have.lengthOf(2);
    expect(told)
      .to.include(said('b.pth', '24.0'))
      .and.to.satisfy((all: string[]) => all.some((line) => line.includes('a.pth')));
  });

  it('starts a trial again that was killed', async () => {
    const directory = prepare({ space: { alpha: [0.5] } }, { num_epochs: 4, epoch_ms: 150 });
    let victim: number | undefined;
    const { lines } = await runSearch(directory, ({ running }) => {
      if (victim === undefined && (running[0]?.epochs ?? 0) >= 2) {
        victim = Number(readFileSync(join(directory, 'alpha_0.5', 'starts.txt'), 'utf8'));
        process.kill(victim, 'SIGKILL');
      }
      return false;
    });
    expect(lines.join('\n')).to.match(/Failed, retrying: .*: killed, probably out of memory/);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.5': 'complete' });
    expect([countOf('starts', directory, 'alpha_0.5'), countOf('ends', directory, 'alpha_0.5')]).to.deep.equal([2, 1]);
  });

  it('gives up after too many failures, and goes on where it was when started again', async () => {
    const space = { behavior: ['fail'], alpha: [1, 2, 3, 4] };
    const directory = prepare({ space, n_jobs: 1, retries: 0, max_failures: 1 });
    const { error } = await runSearch(directory);
    expect(error).to.be.instanceOf(UserError);
    expect((error as UserError).message).to.match(/^.*: 2 trials failed, "max_failures" is 1; /);
    expect(Object.values(statesIn(directory))).to.deep.equal(['failed', 'failed']);
    for (const name of childrenOf(directory))
      writeFileSync(join(directory, name, 'metrics_val_best_weights.json'), '{}');
    for (const name of childrenOf(directory))
      writeFileSync(join(directory, name, 'metrics_test_best_weights.json'), '{}');
    await runSearch(directory);
    expect(Object.values(statesIn(directory))).to.deep.equal(['complete', 'complete', 'failed', 'failed']);
  });

  it('ends what takes too long, with SIGKILL what is deaf', async () => {
    const space = { behavior: ['hang', 'hang_hard'] };
    const directory = prepare({ space, n_jobs: 2, trial_timeout: '2s' });
    const { error } = await runSearch(directory);
    expect(error).to.equal(undefined);
    expect(statesIn(directory)).to.deep.equal({ behavior_hang: 'failed', behavior_hang_hard: 'failed' });
    for (const failure of ofKind(directory, 'failed')) expect(failure).to.include({ reason: 'timeout after 2 s' });
    expect(lockState(join(directory, 'behavior_hang'))).to.equal('free');
    expect(lockState(join(directory, 'behavior_hang_hard'))).to.equal('stale');
  });

  it('counts the time of all starts against the limit', async () => {
    const directory = prepare({ space: { alpha: [0.5] }, trial_timeout: '3s' }, { num_epochs: 200, epoch_ms: 50 });
    await runSearch(directory, ({ running }) => (running[0]?.seconds ?? 0) >= 1.5);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.5': 'running' });
    await runSearch(directory);
    const jobs = journalOf(directory).flatMap((event) => (event.event === 'job' ? [event] : []));
    expect(new Set(jobs.map(({ job }) => job))).to.have.lengthOf(2);
    const { seconds, total } = jobs.at(-1)!;
    expect(total).to.be.above(3);
    expect(total - seconds).to.be.at.least(1.5);
    expect(ofKind(directory, 'failed')[0]).to.include({ reason: 'timeout after 3 s' });
  });

  it('repeats a point with other seeds and compares the mean', async () => {
    const directory = prepare({ space: { alpha: [0.5] }, repeats: 3 }, { seed: 240 });
    const { snapshots } = await runSearch(directory);
    const child = join(directory, 'alpha_0.5');
    const seeds = [child, join(child, 'repeat_1'), join(child, 'repeat_2')].map(
      (path) => (JSON.parse(readFileSync(join(path, 'params.json'), 'utf8')) as { seed: number }).seed,
    );
    expect(seeds).to.deep.equal([240, 241, 242]);
    // The stub gains a hundredth a seed above 230: 0.60, 0.61, 0.62.
    expect(snapshots.at(-1)!.best!.value).to.be.closeTo(0.61, 1e-12);
  });

  it('stops hopeless trials, which keep what they have', async () => {
    const space = { alpha: [0.9, 0.1] };
    const pruner = { name: 'median', startup_trials: 1 };
    const directory = prepare({ space, pruner, n_jobs: 1 }, { num_epochs: 6, epoch_ms: 300 });
    await runSearch(directory);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.9': 'complete', 'alpha_0.1': 'pruned' });
    const [pruned] = ofKind(directory, 'pruned') as unknown as [{ epochs: number; value: number }];
    expect(pruned.epochs).to.be.within(1, 5);
    expect(pruned.value).to.be.closeTo((0.1 * pruned.epochs) / 6, 1e-12);
    const metrics = readFileSync(join(directory, 'alpha_0.1', 'metrics.jsonl'), 'utf8');
    expect(metrics.split('\n')).to.have.lengthOf(pruned.epochs + 1);
    expect(lockState(join(directory, 'alpha_0.1'))).to.equal('free');
  });

  it('lets its children save when it is interrupted, and goes on where they were', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.9] }, n_jobs: 2 }, { num_epochs: 4, epoch_ms: 150 });
    const { error } = await runSearch(directory, ({ running }) => running.some(({ epochs }) => epochs >= 1));
    expect(error).to.equal(undefined);
    expect(Object.values(statesIn(directory))).to.include('running');
    for (const name of childrenOf(directory)) expect(lockState(join(directory, name))).to.equal('free');
    await runSearch(directory);
    expect(Object.values(statesIn(directory))).to.deep.equal(['complete', 'complete']);
    for (const name of childrenOf(directory)) expect(countOf('ends', directory, name)).to.equal(1);
  });

  it('keeps a finished run that it finds, and leaves a directory of other params alone', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.9] }, n_jobs: 1 });
    await runSearch(directory);
    rmSync(join(directory, 'search.journal.jsonl'));
    writeFileSync(join(directory, 'alpha_0.9', 'params.json'), '{"num_epochs":7,"epoch_ms":30,"alpha":0.9}');
    await runSearch(directory);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'complete', 'alpha_0.9': 'failed' });
    const [failure] = ofKind(directory, 'failed') as unknown as [{ reason: string }];
    expect(failure.reason).to.match(/params\.json: "num_epochs" was 7, is 3 for this search; /);
    expect(countOf('starts', directory, 'alpha_0.1')).to.equal(1);
  });

  it('fails a trial whose directory is taken away under its trainer, and does the others', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.9] }, n_jobs: 1 }, { num_epochs: 4, epoch_ms: 150 });
    const child = join(directory, 'alpha_0.1');
    const { error } = await runSearch(directory, ({ running }) => {
      if (running[0]?.label === 'alpha_0.1' && running[0].epochs >= 1) renameSync(child, `${child}_elsewhere`);
      return false;
    });
    expect(error).to.equal(undefined);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'failed', 'alpha_0.9': 'complete' });
    const [failure] = ofKind(directory, 'failed') as unknown as [{ reason: string }];
    expect(failure.reason).to.equal('its directory was removed during training');
  });

  it('fails a trial whose files are taken away but for those just written, and then trains it anew', async () => {
    const directory = prepare({ space: { alpha: [0.1] }, retries: 1 }, { num_epochs: 4, epoch_ms: 150 });
    const child = join(directory, 'alpha_0.1');
    const { lines } = await runSearch(directory, ({ running }) => {
      const isBegun = running[0]?.epochs === 1;
      if (isBegun) readdirSync(child).forEach((name) => rmSync(join(child, name)));
      return false;
    });
    expect(lines.filter((line) => line.includes('starting again'))).to.deep.equal([]);
    const [failure] = ofKind(directory, 'failed') as unknown as [{ reason: string }];
    expect(failure.reason).to.equal('its directory was removed during training');
    const position = JSON.stringify({ epoch: 3, step: 0, weights: 1 });
    writeSafetensors(join(child, 'last.safetensors'), new Map(), { position });
    await runSearch(directory);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'complete' });
    expect(readMetadata(join(child, 'before_1', 'last.safetensors')).position).to.equal(position);
    const { weights } = readJsonIn<{ weights: number }>(child, 'metrics_test_best_weights.json');
    expect(weights).to.equal(weightsAfter(4, 0.1));
  });

  it('takes files that cannot be read for a failure', async () => {
    const directory = prepare({ space: { alpha: [0.1] }, retries: 0 });
    mkdirSync(join(directory, 'alpha_0.1'));
    writeFileSync(join(directory, 'alpha_0.1', 'params.json'), '{"num_epochs":3,"epoch_ms":30,"alpha":0.1}');
    writeFileSync(join(directory, 'alpha_0.1', 'metrics.jsonl'), 'no JSON\n');
    await runSearch(directory);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'failed' });
    const [failure] = ofKind(directory, 'failed') as unknown as [{ reason: string }];
    expect(failure.reason).to.match(/metrics\.jsonl: line 1: not valid JSON: /);
    expect(countOf('starts', directory, 'alpha_0.1')).to.equal(0);
  });
});
