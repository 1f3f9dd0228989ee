/** Tests distillery.ts, commands/new.ts and commands/doctor.ts: the program of the package. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readExperiment } from '../model/experiment/experiment';
import { readSettings } from '../search/settings/settings';
import { scripts } from '../utils/commands';
import { DEVICES } from '../utils/devices';
import { readJsonIn, runScript, snapshot } from './helpers/train';

describe('distillery.ts', function () {
  this.timeout(120_000);
  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'distillery-'))));
  after(() => rmSync(scratch, { recursive: true }));

  const run = (...args: string[]) => runScript('distillery.ts', scratch, args);

  it('lists its commands, and fails where none is named', async () => {
    const [bare, asked] = await Promise.all([run(), run('-h')]);
    expect({ ...bare, exitCode: 0 }).to.deep.equal(asked);
    expect(bare.exitCode).to.equal(2);
    const listed = [...bare.stdout.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name);
    expect(listed).to.include.members([...Object.keys(scripts), 'new', 'describe', 'doctor']);
  });

  it('passes arguments on to the scripts', async () => {
    const [help, described, unknown] = await Promise.all([
      run('report', '--help'),
      run('describe', 'kd'),
      run('trian'),
    ]);
    expect(help).to.include({ exitCode: 0, stderr: '' });
    expect(help.stdout).to.match(/^usage: synthesize_results.ts \[options\]/);
    expect(described.stdout).to.match(/^kd: /);
    expect(unknown).to.include({ exitCode: 2, stderr: 'error: trian is not a command; did you mean train?\n' });
  });

  it('new writes an experiment that is complete, and only into a new directory', async () => {
    const { exitCode, stdout } = await run('new', 'mine');
    expect({ exitCode, stdout }).to.deep.equal({
      exitCode: 0,
      stdout: 'mine written; train it with: npx ts-node train.ts --model_dir mine\n',
    });
    const directory = join(scratch, 'mine');
    expect(readdirSync(directory).sort()).to.deep.equal(['README.md', 'params.json', 'search.json']);
    const { given, params } = readExperiment(join(directory, 'params.json'));
    expect(given).not.to.have.property('$schema');
    expect(existsSync(join(scratch, (params.teacher as { checkpoint: string }).checkpoint))).to.equal(true);
    expect(readSettings(join(directory, 'search.json')).n_trials).to.equal(12);
    for (const name of ['params.json', 'search.json']) {
      const { $schema } = readJsonIn<{ $schema: string }>(directory, name);
      expect(existsSync(join(directory, $schema)), $schema).to.equal(true);
    }
    const before = snapshot(directory);
    const again = await run('new', 'mine');
    expect(again).to.include({ exitCode: 1, stderr: 'error: mine: exists already; name a new directory\n' });
    expect(snapshot(directory)).to.deep.equal(before);
  });

  it('doctor says of each device whether it starts, and nothing on stderr', async () => {
    const { exitCode, stdout, stderr } = await run('doctor');
    expect({ exitCode, stderr }).to.deep.equal({ exitCode: 0, stderr: '' });
    const answers = [...stdout.matchAll(/^ {2}(\w+) +(yes|no): .+$/gm)].map(([, device, answer]) => [device, answer]);
    expect(answers.map(([device]) => device)).to.deep.equal([...DEVICES]);
    expect(answers).to.deep.include.members([
      ['auto', 'yes'],
      ['cpu', 'yes'],
    ]);
    expect(stdout).to.include(`Node.js      ${process.versions.node}`);
  });
});
