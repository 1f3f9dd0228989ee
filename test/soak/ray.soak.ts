/** Searches on a real Ray, where one is installed: `RAY=/path/to/ray` names its program. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { hasRay, RealRay } from '../helpers/ray';
import { itSearchesOn } from '../helpers/ray_searches';
import { countOf, ended, makeSearch, startSearch } from '../helpers/searching';

describe('a search on Ray', function () {
  this.timeout(10 * 60_000);
  const folder = mkdtempSync(join(tmpdir(), 'r-'));
  let ray: RealRay;
  before(async function () {
    if (!hasRay) return this.skip();
    ray = await RealRay.start(folder, 2);
  });
  after(async () => {
    await ray?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  itSearchesOn(() => ray.address);

  it('goes on, without a failure, where a node dies', async () => {
    const node = ray.addNode('elsewhere');
    const directory = makeSearch(
      {
        space: { alpha: [0.5] },
        launcher: 'ray',
        ray: { address: ray.address, resources: { elsewhere: 1 } },
        retries: 0,
      },
      { num_epochs: 40, epoch_ms: 500, later_epoch_ms: 50 },
    );
    const child = join(directory, 'alpha_0.5');
    const end = ended(startSearch(['--parent_dir', directory]));
    while (!existsSync(join(child, 'last.safetensors'))) await wait(100);
    process.kill(-node.pid!, 'SIGKILL');
    ray.addNode('elsewhere');
    const { exitCode, stdout } = await end;
    expect(exitCode, stdout).to.equal(0);
    expect(stdout).to.match(/JOB_SUPERVISOR_ACTOR_DIED: .*; resuming from the checkpoint/);
    expect([countOf('starts', child), countOf('ends', child)]).to.deep.equal([2, 1]);
    rmSync(directory, { recursive: true });
  });
});
