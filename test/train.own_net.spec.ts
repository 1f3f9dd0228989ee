/** train.ts with a network in a module that params.json names by its path: as a student and as a teacher. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensors } from '../formats/safetensors';
import { digestOfFile } from '../runs/provenance';
import { UserError } from '../utils/errors';
import { experiment, readJsonIn, results, runScript } from './helpers/train';
import { trainHere } from './helpers/train_here';

const root = join(__dirname, '..');
const changes = { dataset: { name: 'shapes', train: 60, test: 20 }, batch_size: 20, num_channels: undefined };

describe('train.ts with a network in a module', function () {
  this.timeout(60_000);
  let scratch: string;
  let file: string;
  before(() => {
    scratch = mkdtempSync(join(tmpdir(), 'own-net-'));
    file = join(scratch, 'my_net.ts');
    copyFileSync(join(root, 'examples/my_net.ts'), file);
  });
  after(() => rmSync(scratch, { recursive: true }));

  const prepare = (name: string, params: object) =>
    experiment(join(scratch, name), { ...changes, model_version: file, ...params });
  async function run(directory: string, ...args: string[]): Promise<string> {
    const { error, stdout } = await trainHere(['--model_dir', directory, ...args]);
    if (error !== undefined) throw error as Error;
    return stdout;
  }
  async function refusal(params: object): Promise<string> {
    const directory = prepare('refused', params);
    const { error } = await trainHere(['--model_dir', directory]);
    expect(error).to.be.instanceOf(UserError);
    return (error as UserError).message.replaceAll(directory, 'DIR').replaceAll(file, 'FILE');
  }

  it('trains it with its options and its recipe, and keeps its file by a digest', async () => {
    const directory = prepare('options', { model_options: { widths: [4, 8] } });
    await run(directory);
    const { tensors } = readSafetensors(join(directory, 'last.safetensors'));
    expect(tensors.get('conv2.weight')!.shape).to.deep.equal([8, 4, 3, 3]);
    expect(tensors.get('fc.weight')!.shape).to.deep.equal([10, 8]);
    const { files } = readJsonIn<{ files: object }>(directory, 'run.json');
    expect(files).to.deep.equal({ student: { path: file, sha256: digestOfFile(file) } });
    // Adam keeps two moments of each parameter, SGD one.
    const ofAdam = [...tensors.keys()].filter((name) => /^optimizer\..*conv1\.weight$/.test(name));
    expect(ofAdam).to.have.length(2);
  });

  it('fills in the defaults of its options, and resumes to the same bytes', async () => {
    const constant = { schedule: { type: 'constant' } };
    const whole = prepare('whole', { ...constant, num_epochs: 2 });
    await run(whole);
    const parts = prepare('parts', constant);
    await run(parts);
    prepare('parts', { ...constant, num_epochs: 2 });
    await run(parts);
    expect(results(parts)['last.safetensors']).to.equal(results(whole)['last.safetensors']);
    prepare('parts', { ...constant, num_epochs: 2, model_options: { widths: [16, 32, 64] } });
    expect(await run(parts)).to.include('finished after 2 epochs');
  });

  it('is a student and its teacher: methods find its outputs, and scripts open it', async () => {
    const teacher = join(scratch, 'whole', 'best.safetensors');
    const directory = prepare('taught', {
      model_options: { widths: [4, 8, 16] },
      method: 'at',
      teacher: { model: file, checkpoint: teacher },
    });
    await run(directory);
    const { params } = readJsonIn<{ params: { teacher: object } }>(directory, 'run.json');
    expect(params.teacher).to.deep.include({ model: file });
    for (const script of ['evaluate.ts', 'export.ts']) {
      const { exitCode, stderr } = await runScript(script, root, ['--model_dir', directory]);
      expect(exitCode, stderr).to.equal(0);
    }
  });

  it('refuses a changed file when it resumes', async () => {
    const directory = prepare('edited', {});
    await run(directory);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, `${text}\n// edited\n`);
    experiment(directory, { ...changes, model_version: file, num_epochs: 2 });
    const { error } = await trainHere(['--model_dir', directory]);
    writeFileSync(file, text);
    expect((error as Error).message).to.include('my_net.ts is not the student that the run started with');
  });

  it('is a point of a search over its options', async () => {
    const directory = prepare('search', { num_epochs: 1 });
    writeFileSync(join(directory, 'search.json'), '{"space": {"model_options.widths": [[4], [4, 8]]}}');
    const { exitCode, stdout, stderr } = await runScript('search_hyperparams.ts', root, [
      '--parent_dir',
      directory,
      '--dry_run',
    ]);
    expect(exitCode, stderr).to.equal(0);
    expect(stdout).to.match(/\[4,8\]/);
    expect(stdout).not.to.match(/no trial uses it/);
  });

  it('refuses wrong options, and keys of other networks', async () => {
    expect(await refusal({ model_options: { widths: [] } })).to.match(
      /^DIR\/params\.json: "model_options\.widths" must /,
    );
    expect(await refusal({ model_options: { width: 3 } })).to.match(
      /^DIR\/params\.json: "model_options\.width" is not a key; did you mean "model_options\.widths"\?/,
    );
    expect(await refusal({ model_version: 'cnn', model_options: {} })).to.match(/"model_options" is not a key/);
    expect(await refusal({ model_version: `${file}_distill` })).to.match(/"model_version" must /);
  });

  it('refuses a module that is no network in one line', async () => {
    let count = 0;
    const module = async (text: string) => {
      const path = join(scratch, `broken_${count++}.ts`);
      writeFileSync(path, text);
      return (await refusal({ model_version: path })).replaceAll(path, 'FILE');
    };
    const none = { model_version: join(scratch, 'none.ts') };
    expect(await refusal(none)).to.match(/none\.ts: no such file; "model_version" names it$/);
    expect(await module('export default 1;')).to.equal(
      'FILE: the default export must be a network: an object with a function "build"',
    );
    expect(await module('throw new Error("boom");')).to.equal('FILE: cannot be loaded as a network: boom');
    expect(await module('export default { build: (layers, x) => ({ pooled: x, logits: x }) };')).to.match(
      /^(DIR\/params\.json: )?FILE: "logits" must be N × 10, got \d+ × 3 × 32 × 32$/,
    );
    expect(await module('export default { build: () => ({}) };')).to.match(/FILE: "logits" must be N × 10, got none$/);
  });
});
