/** A run of train.ts with its teacher on 8-bit integers: interrupting and going on, falling back, what is refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { NamedArrays } from '../formats/ndarray';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { experiment, readJsonIn, results, train, writeInitialWeights } from './helpers/train';
import { trainHere } from './helpers/train_here';

interface Facts {
  readonly teacher_precision?: readonly { readonly precision: string; readonly agreement: number }[];
}

describe('"teacher_precision": "int8"', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'teacher-precision-'));
  after(() => rmSync(scratch, { recursive: true }));
  before(() => void writeInitialWeights(join(scratch, 'teacher.safetensors'), 'resnet8', 4));
  const int8 = {
    model_version: 'cnn_distill',
    teacher: { model: 'resnet8', num_channels: 4, checkpoint: join(scratch, 'teacher.safetensors') },
    teacher_precision: 'int8',
    teacher_agreement: 0,
    num_epochs: 3,
  };
  const made = (name: string, changes: object = {}) => experiment(join(scratch, name), { ...int8, ...changes });
  const logOf = (path: string) => readFileSync(join(path, 'train.log'), 'utf8');
  const factsOf = (path: string) => readJsonIn<Facts>(path, 'run.json').teacher_precision;

  it('is compared, told and recorded; an interrupted run resumes to the same bits', async () => {
    const [whole, parted] = [made('whole'), made('parted')];
    expect((await trainHere(['--model_dir', whole])).error).to.equal(undefined);
    await train(scratch, ['--model_dir', parted], { after: 'Epoch 2/', signal: 'SIGKILL' });
    expect((await trainHere(['--model_dir', parted])).error).to.equal(undefined);
    expect(results(parted)).to.deep.equal(results(whole));
    expect(logOf(whole)).to.match(
      /INFO: Teacher \S+teacher\.safetensors: on 8-bit integers it predicts the class of its float32 self for [\d.]+ % of 40 /,
    );
    expect(factsOf(whole)).to.have.lengthOf(1);
    expect(factsOf(whole)![0]).to.include({ precision: 'int8' });
    expect(factsOf(parted)).to.deep.equal(factsOf(whole));

    const { error } = await trainHere([
      '--model_dir',
      made('whole', { teacher_precision: 'float32', teacher_agreement: undefined, num_epochs: 4 }),
    ]);
    expect(String(error)).to.contain('"teacher_precision"');
  });

  it('goes back to float32 with a warning, and then ends as a run in float32', async () => {
    const checkpoint = join(scratch, 'undecided.safetensors');
    writeSafetensors(checkpoint, undecided());
    const teacher = { ...int8.teacher, checkpoint };
    const plain = made('plain', { teacher, teacher_precision: undefined, teacher_agreement: undefined });
    const fallen = made('fallen', { teacher, teacher_agreement: undefined });
    for (const path of [plain, fallen]) expect((await trainHere(['--model_dir', path])).error).to.equal(undefined);
    expect(logOf(fallen)).to.match(
      /WARNING: Teacher .* for 0\.00 % of 40 .*, accepted are 98 % \("teacher_agreement"\): it stays float32\n/,
    );
    expect(factsOf(fallen)![0]).to.include({ precision: 'float32', agreement: 0 });
    expect(readFileSync(join(fallen, 'metrics.jsonl'))).to.deep.equal(readFileSync(join(plain, 'metrics.jsonl')));
    const best = (path: string) => readSafetensors(join(path, 'best.safetensors')).tensors;
    expect([...best(fallen)]).to.deep.equal([...best(plain)]);
  });

  it('is refused in one line with a method that looks inside of the teacher', async () => {
    const path = made('inside', { method: 'fitnet', model_version: 'resnet8_distill' });
    const { error } = await trainHere(['--model_dir', path]);
    expect(String(error)).to.match(
      /^UserError: \S+params\.json: "teacher_precision" must be "float32" if "method" is "fitnet", which reads "\w+" of the teacher$/,
    );
    expect(existsSync(join(path, 'run.json'))).to.equal(false);
  });

  /** Weights of a teacher that prefers class 1 to class 0 by less than int8 can tell. */
  function undecided(): NamedArrays {
    const { tensors } = readSafetensors(join(scratch, 'teacher.safetensors'));
    const weight = tensors.get('linear.weight')!.data as Float32Array;
    const bias = tensors.get('linear.bias')!.data as Float32Array;
    const width = weight.length / bias.length;
    const first = weight.subarray(0, width);
    const largest = Math.max(...first.map(Math.abs));
    weight.set(
      first.map((value) => (Math.abs(value) < largest ? value + 1e-6 : value)),
      width,
    );
    bias.fill(50, 0, 2);
    return tensors;
  }
});
