/** What a run says of the device that it runs on, and that it goes on on another one. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { hasCudaLibraries } from '../engine/backends/providers';
import { UserError } from '../utils/errors';
import { writeJson } from '../utils/files';
import { experiment, readJsonIn, runScript, snapshot } from './helpers/train';
import { trainHere } from './helpers/train_here';

describe('the device of train.ts', function () {
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-device-'));
  after(() => rmSync(scratch, { recursive: true }));

  const tiny = { dataset: { name: 'shapes', train: 40, test: 10 }, batch_size: 16 };
  const logOf = (directory: string) => readFileSync(join(directory, 'train.log'), 'utf8');

  /** Trains to the end; returns what run.json says. */
  async function finish(directory: string, ...args: string[]): Promise<Record<string, unknown>> {
    const { error } = await trainHere(['--model_dir', directory, ...args]);
    expect(error).to.equal(undefined);
    return readJsonIn(directory, 'run.json');
  }

  /** The line and the exit code that a run ends with, which leaves its directory as it was. */
  async function refusal(directory: string, ...args: string[]): Promise<[string, number]> {
    const before = snapshot(directory);
    const { error } = await trainHere(['--model_dir', directory, ...args]);
    expect(error).to.be.instanceOf(UserError);
    expect(snapshot(directory)).to.deep.equal(before);
    const { message, exitCode } = error as UserError;
    expect(message).not.to.contain('\n');
    return [message, exitCode];
  }

  it('is in the log and in run.json, and may change in a run that goes on', async () => {
    const directory = experiment(join(scratch, 'moved'), { ...tiny, device: 'cpu' });
    const facts = await finish(directory);
    expect(facts).to.deep.include({ device: 'cpu', precision: 'float32' });
    expect(facts.device_description).to.match(/^ONNX Runtime .* on the CPU$/);
    expect(logOf(directory)).to.contain(`Device: ${String(facts.device_description)}\n`);

    // As if the first epoch had been made elsewhere.
    writeJson(join(directory, 'run.json'), { ...facts, device: 'cuda' });
    experiment(directory, { ...tiny, device: 'auto', num_epochs: 2 });
    await finish(directory, '--device', 'cpu');
    expect(logOf(directory)).to.contain(
      'The run started on cuda: its results are no longer bit-identical to an uninterrupted run',
    );
  });

  it('that --device names comes before that of params.json', async () => {
    const directory = experiment(join(scratch, 'flag'), { ...tiny, device: 'tensorflow' });
    expect((await finish(directory, '--device', 'cpu')).device).to.equal('cpu');
  });

  it('is refused in one line where it is none, or cannot run here', async () => {
    const directory = experiment(join(scratch, 'refused'), tiny);
    expect(await refusal(directory, '--device', 'gpu')).to.deep.equal([
      '--device must be one of auto, cpu, webgpu, dml, coreml, cuda, tensorflow, got "gpu"',
      2,
    ]);
    if (!hasCudaLibraries()) expect((await refusal(directory, '--device', 'cuda'))[0]).to.match(/^"device": "cuda" /);
    experiment(directory, { ...tiny, device: 'gpu' });
    expect((await refusal(directory))[0]).to.match(/"device" must be one of "auto", "cpu", .* got "gpu"/);
  });

  it('has float32 where float16 gains nothing, by itself; asked for by name, that is refused', async () => {
    const directory = experiment(join(scratch, 'float16'), { ...tiny, precision: 'float16' });
    expect((await refusal(directory, '--device', 'cpu'))[0]).to.match(
      /^"precision": "float16" is not faster on .*"cpu"/,
    );
    experiment(directory, { ...tiny, precision: 'float16', accumulate: 2 });
    expect((await refusal(directory))[0]).to.contain('"accumulate" must be 1 if "precision" is "float16", got 2');
    if (hasCudaLibraries()) return;
    experiment(directory, { ...tiny, precision: 'float16' });
    expect((await finish(directory)).precision).to.equal('float32');
    expect(logOf(directory)).to.match(/WARNING.*"precision": "float16" is not faster/);
  });

  for (const script of ['evaluate.ts', 'generate_logits.ts']) {
    it(`is a flag of ${script} too`, async () => {
      const args = ['--model_dir', join(scratch, 'moved'), '--device'];
      const [good, bad] = await Promise.all(
        ['cpu', 'gpu'].map((device) => runScript(script, scratch, [...args, device])),
      );
      expect(good!.exitCode, good!.stderr).to.equal(0);
      expect(bad!.exitCode).to.equal(2);
      expect(bad!.stderr).to.match(/^error: --device must be one of auto, .* got "gpu"\n$/);
    });
  }
});
