/** Searches on a real Ray, where one is installed: `RAY=/path/to/ray` names its program. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasRay, RealRay } from '../helpers/ray';
import { itSearchesOn } from '../helpers/ray_searches';

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
});
