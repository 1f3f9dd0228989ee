/** Mutants of ONNX models in ONNX Runtime: `ts-node fuzz_onnx.ts COUNT SEED` prints how many it loads and how many not. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ForeignModel } from '../../engine/onnx/foreign';
import type { StoredDataset } from '../../model/data/dataset';
import { nets } from '../../model/nets';
import type { Model } from '../../model/nets/model';
import { loadTeacher } from '../../model/teachers';
import { UserError } from '../../utils/errors';
import { mutants } from './mutants';
import { onnxTeachers, onnxTeachersFolder } from './onnx_teachers';

/** Two images of 8 × 8 pixels, of ten classes. */
const split = { images: new Uint8Array(2 * 192).map((_, i) => i), labels: Uint8Array.of(0, 1), size: 2 };
const dataset: StoredDataset = {
  name: 'two',
  classes: [...'abcdefghij'],
  shape: [3, 8, 8],
  normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  train: split,
  test: split,
};
const student: Model = {
  net: nets.cnn!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0 },
  normalize: dataset.normalize,
  input: dataset.shape,
};

async function main(): Promise<void> {
  const [count, seed] = process.argv.slice(2).map(Number) as [number, number];
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-onnx-'));
  const path = join(folder, 'model.onnx');
  copyFileSync(join(onnxTeachersFolder, 'weights.bin'), join(folder, 'weights.bin'));
  const fixtures = join(__dirname, '..', 'fixtures', 'teachers');
  const originals = ['three_images.onnx', 'open_batch.onnx'].map((name) => readFileSync(join(fixtures, name)));
  const outcomes = { loaded: 0, refused: 0 };
  const attempt = async (action: () => Promise<unknown>) => {
    try {
      await action();
      outcomes.loaded++;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      outcomes.refused++;
    }
  };
  try {
    // As they are, and brought to one form and run on images.
    await fc.assert(
      fc.asyncProperty(mutants(originals), async (bytes) => {
        writeFileSync(path, bytes);
        await attempt(async () => (await ForeignModel.open(path, 1)).release());
      }),
      { numRuns: Math.ceil(count / 2), seed },
    );
    await fc.assert(
      fc.asyncProperty(mutants(onnxTeachers()), fc.constantFrom('NCHW', 'NHWC', 'N(CHW)'), async (bytes, layout) => {
        writeFileSync(path, bytes);
        const params = { onnx: path, layout, output: 'logits' } as const;
        await attempt(async () =>
          (await loadTeacher(params, student, dataset, { threads: 1, log: () => {} })).release(),
        );
      }),
      { numRuns: Math.floor(count / 2), seed },
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
