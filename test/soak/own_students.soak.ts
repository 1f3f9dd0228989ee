/** Students from ONNX files and modules whose process is killed twenty times, at any moment: they end with the same bytes. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Random } from '../../utils/random';
import { experiment, results } from '../helpers/train';

const root = join(__dirname, '..', '..');
const KILLS = 20;
/** A start takes about two seconds on one core; a kill comes up to so many after it. */
const SECONDS = 6;

const students = {
  'a convolutional network of ONNX': 'test/fixtures/foreign_students/tiny_mobilenet.onnx',
  'a transformer of ONNX': 'test/fixtures/foreign_students/tiny_vit.onnx',
  'a network in a module': 'examples/my_net.ts',
};

describe('a student from a file', function () {
  this.timeout(30 * 60_000);
  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'students-'))));
  after(() => rmSync(scratch, { recursive: true }));

  Object.entries(students).forEach(([title, source], number) => {
    it(`is killed ${KILLS} times with the bytes of a run that was not: ${title}`, async () => {
      const file = join(scratch, `${number}_${source.split('/').at(-1)!}`);
      copyFileSync(join(root, source), file);
      const params = {
        model_version: file,
        num_channels: undefined,
        method: 'cskd',
        dataset: { name: 'shapes', train: 400, test: 40 },
        batch_size: 16,
        num_epochs: 60,
        ema: 0.9,
        optimizer: 'adamw',
        checkpoint_every: '0s',
        schedule: { type: 'cosine' },
      };
      const whole = experiment(join(scratch, `whole_${number}`), params);
      expect(await signalled(whole, Infinity)).to.equal(false);

      const random = new Random(230, 'kills');
      const killed = experiment(join(scratch, `killed_${number}`), params);
      let kills = 0;
      for (let start = 0; kills < KILLS && start < 2 * KILLS; start++) {
        const isKilled = await signalled(killed, 1 + random.integer(100 * SECONDS, start, number) / 100);
        if (!isKilled) break;
        kills++;
      }
      expect(await signalled(killed, Infinity)).to.equal(false);
      console.log(`      ${kills} kills`);
      expect(results(killed)).to.deep.equal(results(whole));
      expect(kills).to.equal(KILLS);
    });
  });
});

/** Starts a run and kills it after so many seconds; false if it ended well before. */
async function signalled(directory: string, seconds: number): Promise<boolean> {
  const script = [require.resolve('ts-node/dist/bin'), join(root, 'train.ts'), '--model_dir', directory];
  const child = spawn(process.execPath, script, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const timer = seconds === Infinity ? undefined : setTimeout(() => child.kill('SIGKILL'), 1000 * seconds);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on('close', (...ending) => resolve(ending)),
  );
  clearTimeout(timer);
  if (signal !== 'SIGKILL') expect(code, stderr).to.equal(0);
  return signal === 'SIGKILL';
}
