/**
 * The mutants of test/fuzz.spec.ts, 114,000 of them in all, and models with other bytes in ONNX Runtime itself.
 * FUZZ_SHARE=0.1 tries a tenth of them; FUZZ_SEED draws others.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { fuzz, targets } from '../helpers/fuzz';

const share = Number(process.env.FUZZ_SHARE ?? 1);
const seed = Number(process.env.FUZZ_SEED ?? 1);

/** Mutants of each; the slow readers have fewer. */
const runs: Readonly<Record<string, number>> = {
  'params.json': 1500,
  'search.json': 3000,
  'PyTorch checkpoints': 20_000,
  'the files of a run, by the report': 3000,
  'the index of an image cache': 500,
  images: 4000,
  locks: 2000,
};

/** In pieces, as fast-check and ajv keep what they have made. */
const PIECE = 500;

describe('mutants by the thousand', function () {
  this.timeout(2 * 60 * 60_000);
  let tried = 0;
  after(() => console.log(`      ${tried} mutants`));

  for (const [name, make] of Object.entries(targets)) {
    it(name, async () => {
      const count = Math.ceil(share * (runs[name] ?? 6000));
      for (let begun = 0; begun < count; begun += PIECE) {
        await fuzz(make, Math.min(PIECE, count - begun), seed * 1000 + begun / PIECE);
        tried += Math.min(PIECE, count - begun);
      }
    });
  }

  // A native library could end the process: it has one of its own.
  it('ONNX models in ONNX Runtime', () => {
    const script = join(__dirname, '..', 'helpers', 'fuzz_onnx.ts');
    const count = Math.ceil(share * 2000);
    const argv = [require.resolve('ts-node/dist/bin'), script, String(count), String(seed)];
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    expect({ status, signal, stderr }).to.deep.equal({ status: 0, signal: null, stderr: '' });
    tried += count;
    console.log(`      ${stdout.trim()}`);
  });
});
