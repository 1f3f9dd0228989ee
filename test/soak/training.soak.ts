/**
 * train.ts over thousands of steps and hundreds of epochs: whether memory, open files and handles grow. `npm run soak` gives it
 * a process of its own, as what other tests leave to the garbage collector would count.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { experiment } from '../helpers/train';
import { trainHere } from '../helpers/train_here';
import { observer } from '../helpers/troubled';

const EVERY = 20;

/** A number after so many steps. */
type Sample = readonly [step: number, value: number];

describe('a run', function () {
  this.timeout(60 * 60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'training-soak-'));
  after(() => rmSync(scratch, { recursive: true }));

  for (const [title, { epochs, images, batch }] of Object.entries({
    'of 800 epochs of 20 steps': { epochs: 800, images: 320, batch: 16 },
    'of 16 epochs of 1,000 steps': { epochs: 16, images: 4000, batch: 4 },
  })) {
    it(`${title} takes no more memory, files and handles at its end than in its middle`, async () => {
      const path = experiment(join(scratch, String(epochs)), {
        dataset: { name: 'shapes', train: Math.round(images / 0.9), test: 20 },
        method: [{ name: join(__dirname, '..', 'helpers', 'troubled.ts'), steps: [] }],
        num_epochs: epochs,
        batch_size: batch,
        checkpoint_every: '1s',
        on_nan: 'restore',
      });
      const samples: Record<'rss' | 'heap' | 'files' | 'handles', Sample[]> = {
        rss: [],
        heap: [],
        files: [],
        handles: [],
      };
      observer.atStep = (step) => {
        if (step % EVERY !== 0) return;
        const { rss, heapUsed } = process.memoryUsage();
        samples.rss.push([step, rss / 1e6]);
        samples.heap.push([step, heapUsed / 1e6]);
        samples.files.push([step, readdirSync('/proc/self/fd').length]);
        samples.handles.push([step, process.getActiveResourcesInfo().length]);
      };
      const { error } = await trainHere(['--model_dir', path]).finally(() => (observer.atStep = () => {}));
      expect(error).to.equal(undefined);

      // The first half warms up: caches, compiled code, the holes that sessions leave in the heap of C++.
      const growth = Object.entries(samples).map(([name, all]) => {
        const later = all.slice(all.length / 2);
        return { name, slope: 1000 * slope(later), last: later.at(-1)![1] };
      });
      const words = growth.map((one) => `${one.name} ${one.slope.toFixed(3)} of ${one.last.toFixed(0)}`);
      console.log(`      growth in 1,000 steps: ${words.join(', ')} (MB, MB, files, handles)`);
      const [rss, , files, handles] = growth.map((one) => one.slope) as [number, number, number, number];
      expect(rss, 'MB in 1,000 steps').to.be.lessThan(2);
      expect(files).to.be.within(-0.1, 0.1);
      expect(handles).to.be.within(-0.1, 0.1);
    });
  }
});

/** Slope of the least-squares line. */
function slope(samples: readonly Sample[]): number {
  const mean = (i: 0 | 1) => samples.reduce((sum, sample) => sum + sample[i], 0) / samples.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = samples.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  return covariance / samples.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
}
