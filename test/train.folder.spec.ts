/** A run on a folder of images whose batches are read ahead: killed and started again it ends like one left alone. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import sharp from 'sharp';
import { RunDirectory } from '../runs/run_directory';
import { Random } from '../utils/random';
import { experiment, results, train } from './helpers/train';

/** `<dir>/{train,val}/{ants,bees}`: JPEGs of noise, of several sizes, lighter for bees. */
async function writeImages(dir: string): Promise<void> {
  let seed = 0;
  for (const [part, count] of Object.entries({ train: 30, val: 6 })) {
    for (const [name, darkest] of Object.entries({ ants: 0, bees: 60 })) {
      mkdirSync(join(dir, part, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        const [width, height] = [40 + i, 70 - i];
        const pixels = new Float32Array(width * height * 3);
        new Random(seed++, 'image').fillUniform(pixels, darkest, 256);
        const image = sharp(Uint8Array.from(pixels), { raw: { width, height, channels: 3 } });
        await image.jpeg().toFile(join(dir, part, name, `${i}.jpg`));
      }
    }
  }
}

describe('a run of train.ts on a folder of images', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-folder-'));
  before(() => writeImages(join(scratch, 'images')));
  after(() => rmSync(scratch, { recursive: true }));

  const directory = (name: string): string =>
    experiment(join(scratch, name), {
      dataset: { name: 'folder', dir: 'images', size: 32, cache: 'cache' },
      batch_size: 4,
      num_epochs: 8,
    });

  it('that is killed in the middle of an epoch ends with the same bytes, even where its cache is lost', async () => {
    const finish = async (path: string) => {
      const { exitCode, stdout, stderr } = await train(scratch, ['--model_dir', path]);
      expect(stderr).to.equal('');
      expect(exitCode).to.equal(0);
      return stdout;
    };
    const whole = directory('whole');
    await finish(whole);
    expect(Object.keys(results(whole))).to.have.length(9);
    const loseCache = () => rmSync(join(scratch, 'cache'), { recursive: true });
    loseCache();

    const killed = directory('killed');
    const kill = async (epoch: number) => {
      const { signal } = await train(scratch, ['--model_dir', killed], {
        after: `\nEpoch ${epoch}/`,
        signal: 'SIGKILL',
      });
      expect(signal).to.equal('SIGKILL');
      return new RunDirectory(killed).readLast()!.position;
    };
    const first = await kill(2);
    expect(first).to.include({ step: 0 });
    expect(first.epoch).to.be.within(1, 5);
    const second = await kill(first.epoch + 1);
    expect(second.epoch).to.be.below(8);

    loseCache();
    expect(await finish(killed)).to.contain(`\nResuming after epoch ${second.epoch}, step 0\n`);
    expect(results(killed)).to.deep.equal(results(whole));
  });
});
