/** Real trainings as jobs of a Slurm whose nodes die, whose controller restarts, and that ends jobs as it likes. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { Random } from '../../utils/random';
import { ended, statesIn } from '../helpers/searching';
import { hasSlurm, releaseRequeued, slurm, TestCluster, trainersOf } from '../helpers/slurm';
import { experiment, results, small } from '../helpers/train';

const root = join(__dirname, '..', '..');
const names = [0.1, 0.5, 0.9].map((alpha) => `alpha_${alpha}`);

describe('a search of trainings on a Slurm that fails', function () {
  this.timeout(20 * 60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'slurm-soak-'));
  let cluster: TestCluster;
  before(async function () {
    if (!hasSlurm) return this.skip();
    cluster = await TestCluster.start(mkdtempSync(join(scratch, 'slurm-')), { nodes: 2, cpus: 4 });
  });
  after(async () => {
    await cluster?.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  });

  const prepare = (name: string, search: object) => {
    const teacher = { model: 'cnn', num_channels: 8, checkpoint: join(scratch, 'teacher', 'best.safetensors') };
    const params = {
      dataset: { name: 'shapes', train: 3000, test: 200 },
      num_epochs: 4,
      checkpoint_every: '1s',
      teacher,
    };
    const directory = experiment(join(scratch, name), { ...params, model_version: 'cnn_distill', temperature: 4 });
    writeFileSync(join(directory, 'search.json'), JSON.stringify({ space: { alpha: [0.1, 0.5, 0.9] }, ...search }));
    return directory;
  };
  const run = (script: string, ...args: string[]) =>
    spawn(process.execPath, [require.resolve('ts-node/dist/bin'), join(root, script), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: root,
    });

  for (const seed of [1, 2, 3]) {
    it(`comes to the bytes of a local search, with the faults of seed ${seed}`, async () => {
      const teacher = join(scratch, 'teacher');
      if (!existsSync(teacher)) {
        experiment(teacher, { ...small, num_channels: 8 });
        expect((await ended(run('train.ts', '--model_dir', teacher))).exitCode).to.equal(0);
      }
      const local = join(scratch, 'local');
      if (!existsSync(local)) {
        prepare('local', { n_jobs: 2 });
        const { exitCode, stderr } = await ended(run('search_hyperparams.ts', '--parent_dir', local));
        expect(exitCode, stderr).to.equal(0);
      }

      const directory = prepare(`slurm_${seed}`, { launcher: 'slurm', retries: 9 });
      const random = new Random(seed, 'soak.slurm');
      const jobs = () => slurm('squeue', '-h', '-t', 'RUNNING', '-o', '%i').split('\n').filter(Boolean);
      const pick = <T>(items: readonly T[], at: number) => items[Math.floor(random.uniform(at, 1) * items.length)];
      const faults: ((at: number) => unknown)[] = [
        (at) => slurm('scontrol', 'requeue', pick(jobs(), at) ?? '0'),
        (at) => slurm('scancel', '--batch', '--signal=TERM', pick(jobs(), at) ?? '0'),
        (at) => trainersOf(join(directory, pick(names, at)!)).forEach((pid) => process.kill(pid, 'SIGKILL')),
        (at) => cluster.restartNode(pick(cluster.nodeNames, at)!),
        async () => {
          await cluster.stopController();
          await wait(3000);
          cluster.startController();
        },
      ];
      let search = run('search_hyperparams.ts', '--parent_dir', directory);
      let end = ended(search);
      let isOver = false;
      for (let at = 0; !isOver; at++) {
        const over = end.then(() => (isOver = true));
        await Promise.race([over, wait(3000 + 4000 * random.uniform(at, 0))]);
        releaseRequeued();
        if (isOver) break;
        if (at < 24) await faults[at % faults.length]!(at);
        if (at % 8 === 7 && at < 24) {
          search.kill('SIGKILL');
          await end;
          isOver = false;
          search = run('search_hyperparams.ts', '--parent_dir', directory);
          end = ended(search);
        }
      }
      const { exitCode, stdout } = await end;
      expect(exitCode, stdout).to.equal(0);
      expect(statesIn(directory)).to.deep.equal(Object.fromEntries(names.map((name) => [name, 'complete'])));
      for (const name of names) {
        expect(results(join(directory, name)), name).to.deep.equal(results(join(local, name)));
        const metrics = readFileSync(join(directory, name, 'metrics.jsonl'), 'utf8');
        expect(metrics.split('\n')).to.have.lengthOf(5);
      }
    });
  }
});
