/** profile.ts: its tables, and that it leaves everything as it was. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { experiment, runScript, snapshot, writeInitialWeights } from './helpers/train';

/** The cells of the rows of a printed table whose first cell fits. */
function rows(text: string, first: RegExp): string[][] {
  const cells = text
    .split('\n')
    .filter((line) => line.startsWith('║'))
    .map((line) => line.split(/[║│]/).map((cell) => cell.trim()));
  return cells.map((row) => row.slice(1, -1)).filter(([name]) => first.test(name!));
}

describe('profile.ts', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'profile-script-'));
  const temporary = join(scratch, 'tmp');
  const checkpoint = join(scratch, 'teacher.safetensors');
  const teacher = { model: 'cnn', num_channels: 4, checkpoint };
  const usual = process.env.TMPDIR;
  const leftBehind = () => readdirSync(temporary).filter((name) => name.startsWith('profile-'));
  const profile = (...args: string[]) => runScript('profile.ts', scratch, args);

  before(() => {
    mkdirSync(temporary);
    process.env.TMPDIR = temporary;
    writeInitialWeights(checkpoint, 'cnn', 4);
  });
  after(() => {
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
    rmSync(scratch, { recursive: true });
  });

  it('prints the time of a step by operator and by layer, and that of the teacher', async () => {
    const directory = experiment(join(scratch, 'distilled'), { model_version: 'cnn_distill', teacher });
    const before = snapshot(directory);
    const { stdout, stderr, exitCode } = await profile('--model_dir', directory, '--steps', '4');
    expect([stderr, exitCode]).to.deep.equal(['', 0]);
    expect(snapshot(directory)).to.deep.equal(before);
    expect(leftBehind()).to.deep.equal([]);

    const [step = '', operators = '', layers = '', teachers = '', ...rest] = stdout.split(/\n(?=By |A pass)/);
    expect(rest).to.deep.equal([]);
    expect(step).to.match(/^A step of cnn_distill, batch 64, 1 thread: medians of 4/);
    const share = ([, , cell]: string[]) => parseFloat(cell!);
    const parts = rows(step, /^(the|inputs|operators|ONNX|session)/).map(share);
    expect(parts).to.have.lengthOf(5);
    expect(Math.max(...parts)).to.be.within(10, 100);

    const ms = (row: string[], cell: number) => Number(row[cell]);
    const counted = rows(operators, /^[A-Z]/);
    expect(counted.map(([name]) => name)).to.include.members(['Conv', 'MaxPool', 'Gemm']);
    const times = counted.map((row) => ms(row, 2));
    expect(times).to.deep.equal([...times].sort((a, b) => b - a));
    expect(ms(rows(operators, /^in all/)[0]!, 2)).to.be.above(0);

    const names = ['conv1', 'bn1', 'conv2', 'bn2', 'conv3', 'bn3', 'fc1', 'fcbn1', 'fc2'];
    const found = rows(layers, /^(conv|bn|fc)/);
    expect(found.map(([name]) => name)).to.have.members(names);
    for (const row of found) {
      for (const cell of [1, 2, 4]) expect(ms(row, cell), row.join(' ')).to.be.above(0);
    }
    // Vectors are updated together, matrices with their layer.
    const updated = rows(layers, /^(conv\d|fc\d|\(vectors\))$/);
    expect(updated).to.have.lengthOf(6);
    for (const row of updated) expect(ms(row, 3), row.join(' ')).to.be.above(0);
    expect(rows(layers, /^\(added/)[0]?.slice(1, 4) ?? ['', '', '']).to.deep.equal(['', '', '']);
    expect(rows(teachers, /^Conv/)).to.have.lengthOf(1);
  });

  it('profiles the kind of step that --phase names', async () => {
    const directory = experiment(join(scratch, 'datafree'), {
      model_version: 'cnn_distill',
      teacher,
      method: 'datafree',
      batch_size: 8,
    });
    const kinds = ['student', 'generator'];
    const ended = await Promise.all(
      kinds.map((phase) => profile('--model_dir', directory, '--steps', '1', '--phase', phase)),
    );
    const updated = ended.map(({ stdout, stderr }) => {
      expect(stderr).to.equal('');
      const layers = rows(stdout, /^(conv1|distiller\.)/).filter((row) => row.length === 6 && row[3] !== '');
      return layers.map(([name]) => name!);
    });
    expect(updated[0]).to.include('conv1');
    expect(updated[1]!.length).to.be.above(0);
    for (const name of updated[1]!) expect(name).to.match(/^distiller\.datafree\./);
  });

  it('says in one line what is wrong', async () => {
    const directory = experiment(join(scratch, 'wrong'));
    const cases: [args: string[], says: string, exitCode: number][] = [
      [[], '--model_dir is missing: name the directory of an experiment', 2],
      [['--model_dir', directory, '--steps', '0'], '--steps must be an integer from 1, got 0', 2],
      [['--model_dir', directory, '--phase', 'other'], '--phase must be one of step, got "other"', 2],
      [['--model_dir', join(scratch, 'absent')], 'absent: no such directory', 1],
    ];
    await Promise.all(
      cases.map(async ([args, says, exitCode]) => {
        const ended = await profile(...args);
        expect(ended.stderr).to.match(/^error: [^\n]+\n$/);
        expect(ended.stderr).to.contain(says);
        expect(ended.exitCode).to.equal(exitCode);
        // Without arguments its usage follows.
        expect(ended.stdout).to.match(args.length === 0 ? /^usage: profile\.ts / : /^$/);
      }),
    );
    expect(leftBehind()).to.deep.equal([]);
  });
});
