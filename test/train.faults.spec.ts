/** A run whose disk fails, fills up, or whose process is killed, at any operation on its directory. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensors } from '../formats/safetensors';
import type { EpochRecord } from '../runs/metrics';
import { UserError } from '../utils/errors';
import { readJson } from '../utils/files';
import { faults, inject, type FaultName } from './helpers/faults';
import { experiment, results, snapshot } from './helpers/train';
import { abandonLock, trainHere } from './helpers/train_here';

/** A checkpoint after each step, so that there are many of them. */
const tiny = {
  model_version: 'mlp',
  hidden_sizes: [4],
  dataset: { name: 'shapes', train: 40, test: 10 },
  batch_size: 18,
  num_epochs: 2,
  checkpoint_every: '0s',
};

describe('train.ts on a directory that fails', function () {
  this.timeout(process.env.SOAK ? 60 * 60_000 : 120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-faults-'));
  const undisturbed = join(scratch, 'undisturbed');
  let operations: readonly string[];
  after(() => rmSync(scratch, { recursive: true }));

  const withoutNumbers = (name: string) => name.replace(/(\.lock|events)\W.*$|\.\d+-\d+\.draft$/, '$1');
  const filesOf = (path: string) => Object.keys(snapshot(path)).map(withoutNumbers);

  /** Whatever happened, what is there must be whole. */
  function expectWhole(path: string): void {
    for (const name of Object.keys(snapshot(path))) {
      const file = join(path, name);
      if (name.endsWith('.safetensors')) readSafetensors(file);
      if (name.endsWith('.json')) readJson(file);
    }
    const metrics = join(path, 'metrics.jsonl');
    const lines = existsSync(metrics) ? readFileSync(metrics, 'utf8').split('\n').slice(0, -1) : [];
    expect(lines.map((line) => (JSON.parse(line) as EpochRecord).epoch)).to.deep.equal([1, 2].slice(0, lines.length));
  }

  /** One operation goes wrong, then the same command is given again. */
  async function survive(fault: FaultName, at: number): Promise<void> {
    const what = `${fault} at ${at}: ${operations[at]}`;
    const path = experiment(mkdtempSync(join(scratch, 'run-')), tiny);
    const faulty = inject(path, at, fault);
    const { error } = await trainHere(['--model_dir', path]);
    faulty.restore();
    // What is left to do on a full disk may need no space.
    if (fault !== 'full') expect(faulty.hasHappened(), what).to.equal(true);
    const isKilled = fault.startsWith('killed');
    if (!isKilled && error !== undefined) {
      expect(error, what).to.be.instanceOf(UserError);
      expect((error as UserError).message, what).to.match(/^[^\n]*: cannot be (written|locked): E[A-Z]+: [^\n]*$/);
      expect((error as UserError).message, what).to.contain(path);
    }
    expectWhole(path);
    if (existsSync(join(path, '.lock'))) abandonLock(path);
    const again = await trainHere(['--model_dir', path]);
    expect(again.error, what).to.equal(undefined);
    expect(again.stderr, what).to.equal('');
    expect(results(path), what).to.deep.equal(results(undisturbed));
    const isResult = (name: string) => !name.startsWith('before_') && !name.startsWith('events');
    expect(filesOf(path).filter(isResult), what).to.deep.equal(filesOf(undisturbed).filter(isResult));
    rmSync(path, { recursive: true });
  }

  before(async () => {
    experiment(undisturbed, tiny);
    const faulty = inject(undisturbed);
    const { error, stderr } = await trainHere(['--model_dir', undisturbed]);
    faulty.restore();
    expect(error).to.equal(undefined);
    expect(stderr).to.equal('');
    expect(readdirSync(undisturbed)).to.include.members(['last.safetensors', 'previous.safetensors']);
    ({ operations } = faulty);
  });

  for (const [i, fault] of (Object.keys(faults) as FaultName[]).entries()) {
    it(`goes on after it: ${fault}`, async () => {
      // Of writes in a row the first stands for all.
      const points = operations.flatMap((operation, at) => (operation === operations[at - 1] ? [] : [at]));
      const all = Object.keys(faults).length;
      // The share of the points is another one for each fault.
      const some = points.filter(
        (_, k) => k % Math.ceil(points.length / 2) === Math.floor((i * points.length) / 2 / all),
      );
      for (const at of process.env.SOAK ? points : some) await survive(fault, at);
    });
  }
});
