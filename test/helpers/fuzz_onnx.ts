/** Mutants of ONNX models in ONNX Runtime: `ts-node fuzz_onnx.ts COUNT SEED` prints how many it loads and how many not. */
import fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ForeignModel } from '../../engine/onnx/foreign';
import { UserError } from '../../utils/errors';
import { mutants } from './mutants';

async function main(): Promise<void> {
  const [count, seed] = process.argv.slice(2).map(Number) as [number, number];
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-onnx-'));
  const path = join(folder, 'model.onnx');
  const fixtures = join(__dirname, '..', 'fixtures', 'teachers');
  const originals = ['three_images.onnx', 'open_batch.onnx'].map((name) => readFileSync(join(fixtures, name)));
  const outcomes = { loaded: 0, refused: 0 };
  try {
    await fc.assert(
      fc.asyncProperty(mutants(originals), async (bytes) => {
        writeFileSync(path, bytes);
        try {
          await (await ForeignModel.open(path, 1)).release();
          outcomes.loaded++;
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          outcomes.refused++;
        }
      }),
      { numRuns: count, seed },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
  process.stdout.write(`${outcomes.loaded} loaded, ${outcomes.refused} refused\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
