/** Tests commands/inspect.ts: what it prints of networks, ONNX files, checkpoints and runs. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { inspection } from '../commands/inspect';
import { UserError } from '../utils/errors';
import { writeInitialWeights } from './helpers/train';

const fixtures = join(__dirname, 'fixtures');

describe('inspect.ts', () => {
  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'inspect-'))));
  after(() => rmSync(scratch, { recursive: true }));
  const text = async (file: string, size = 32, key?: string) => (await inspection(file, size, key)).join('\n');
  async function refusal(file: string, key?: string): Promise<string> {
    const error: unknown = await inspection(file, 32, key).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(UserError);
    return (error as UserError).message;
  }

  it('counts a network of this house, by its name or an old one', async () => {
    // 272,474 of He et al. with their 16-channel shortcuts and BatchNorm; the classifier's 650 included.
    const words = await text('resnet20');
    expect(words).to.match(/^resnet20\n/);
    expect(words).to.include(`  ${(269_722).toLocaleString('en')} parameters`);
    expect(words).to.include(`  ${(40_551_040).toLocaleString('en')} multiply-adds an image`);
    expect(words).to.match(/^ {2}stage3 +64 × 8 × 8$/m);
    expect(await text('WRN16_2')).to.match(/^wrn16_2\n/);
    expect(await text('resnet20', 64)).to.match(/^ {2}stage3 +64 × 16 × 16$/m);
  });

  it('lists the options and outputs of a network in a module', async () => {
    const words = await text(join(__dirname, '../examples/my_net.ts'));
    expect(words).to.match(/"model_options", their defaults:\n {2}widths +\[16,32,64\]/);
    expect(words).to.match(/^ {2}stage2 +32 × 16 × 16$/m);
    // 3·16·9 + 16·32·9 + 32·64·9 kernels, 2·(16 + 32 + 64) of BatchNorm, 64·10 + 10.
    expect(words).to.include('  24,346 parameters');
  });

  it('lists what an ONNX file takes, has and gives to methods', async () => {
    const file = join(fixtures, 'foreign_students/tiny_mobilenet.onnx');
    const words = await text(file);
    expect(words).to.match(/ONNX, opset 17, written by pytorch/);
    expect(words).to.match(/inputs:\n {2}images +float32 +batch × 3 × 32 × 32\n/);
    expect(words).to.match(/operators \(45 nodes\):\n {2}Conv +14 +yes\n/);
    expect(words).to.match(
      /\/features\/features\.4\/features\.4\.2\/HardSwish_output_0 +96 × 4 × 4 +HardSwish +stage3/,
    );
    expect(words).to.include('  7,122 parameters');
    expect(words.split('\n').at(-1)).to.equal(`  trains: "model_version": ${JSON.stringify(file)}`);
  });

  it('says which operators of an ONNX file cannot be trained through, and its line', async () => {
    const last = async (name: string) => (await text(join(fixtures, 'onnx_teachers', name))).split('\n').at(-1);
    expect(await text(join(fixtures, 'onnx_teachers/if.onnx'))).to.match(/^ {2}If +1 +is control flow: export it/m);
    expect(await last('if.onnx')).to.match(/^does not train: .*if\.onnx: "If" that makes "logits" is control flow/);
    expect(await last('two_inputs.onnx')).to.match(
      /^does not train: .* has "images", "mask" as inputs, accepted is one/,
    );
    expect(await last('custom.onnx')).to.match(
      /"Mystery" .* has no gradient here, as no operator of the domain "own" has/,
    );
    expect(await last('batch_statistics.onnx')).to.match(
      /"Reshape" .*: cannot make \[.*-1.*\] of .*: export it with an open/,
    );
  });

  it('prints names from a file without what would control the terminal', async () => {
    const path = join(scratch, 'bell.onnx');
    const bytes = readFileSync(join(fixtures, 'foreign_students/tiny_mobilenet.onnx')).toString('latin1');
    writeFileSync(path, Buffer.from(bytes.replaceAll('HardSwish', 'Hard\u0007wish'), 'latin1'));
    expect(await text(path)).to.match(/^ {2}Hard\ufffdwish +7 +has no gradient here/m);
  });

  it('lists the tensors of a checkpoint and of a run', async () => {
    const path = writeInitialWeights(join(scratch, 'best.safetensors'), 'cnn', 4);
    const words = await text(scratch);
    expect(words).to.match(/^.*best\.safetensors: 30 tensors, /);
    expect(words).to.match(/^ {2}conv1\.weight +float32 +4 × 3 × 3 × 3$/m);
    expect(words).to.match(/^ {2}bn1\.num_batches_tracked +int64 +scalar$/m);
    copyFileSync(path, join(scratch, 'renamed.bin'));
    expect((await text(join(scratch, 'renamed.bin'))).split('\n').slice(3)).to.deep.equal(words.split('\n').slice(3));
    expect(await text(join(fixtures, 'checkpoints/behind_module_model.pt'))).to.match(/float32/);
  });

  it('refuses what it cannot read in one line', async () => {
    expect(await refusal('resnet21')).to.equal(
      'resnet21: no such file, and no network of this name; did you mean "resnet20"?',
    );
    const path = join(scratch, 'page.onnx');
    writeFileSync(path, '<!doctype html><html></html>');
    expect(await refusal(path)).to.match(/^.*page\.onnx: neither a safetensors file .* it is a web page/);
    expect(await refusal(join(__dirname, 'inspect.spec.ts'))).to.match(/the default export must be a network/);
    expect(await refusal(join(scratch, 'none.ts'))).to.match(/none\.ts: no such file/);
    const empty = mkdtempSync(join(scratch, 'empty-'));
    expect(await refusal(empty)).to.match(/best\.safetensors: no such file$/);
  });
});
