import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { codeState, describeRun } from '../../runs/provenance';

const versionIn = (...path: string[]) =>
  (JSON.parse(readFileSync(join(__dirname, '..', '..', ...path, 'package.json'), 'utf8')) as { version: string })
    .version;

describe('provenance', () => {
  it('names command, versions and machine', () => {
    const before = new Date().toISOString();
    const run = describeRun(['node', 'train.ts', '--model_dir', 'a b']);
    expect(run).to.deep.include({
      command: ['node', 'train.ts', '--model_dir', 'a b'],
      version: versionIn(),
      node: process.version.slice(1),
      onnxruntime: versionIn('node_modules', 'onnxruntime-node'),
    });
    expect(run.started >= before && run.started <= new Date().toISOString()).to.equal(true);
    for (const text of [run.os, run.cpu, run.host]) expect(text).not.to.equal('');
    expect(run.cores).to.be.at.least(1);
    expect(run.memory).to.be.above(2 ** 20);
    expect(JSON.parse(JSON.stringify(run))).to.deep.equal(run);
  });

  for (const [name, variable, key] of [
    ['Slurm', 'SLURM_JOB_ID', 'slurm_job'],
    ['Ray', 'DISTILLERY_JOB', 'ray_job'],
  ] as const) {
    it(`names the job of ${name}, where there is one`, () => {
      const before = process.env[variable];
      process.env[variable] = '4711';
      try {
        expect(describeRun([])[key]).to.equal('4711');
        delete process.env[variable];
        expect(describeRun([])).not.to.have.property(key);
      } finally {
        if (before !== undefined) process.env[variable] = before;
      }
    });
  }

  it('records nothing else of the environment', () => {
    process.env.KD_SECRET = 'hush-7Qz';
    try {
      expect(JSON.stringify(describeRun([]))).not.to.contain('hush-7Qz');
    } finally {
      delete process.env.KD_SECRET;
    }
  });

  describe('of the code', () => {
    let root: string;
    beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'provenance-'))));
    afterEach(() => rmSync(root, { recursive: true }));

    const none = { commit: null, dirty: null };
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', root, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();

    it('is unknown outside of a repository, before its first commit, and below its top', () => {
      expect(codeState(root)).to.deep.equal(none);
      git('init');
      expect(codeState(root)).to.deep.equal(none);
      git('commit', '--allow-empty', '-m', 'first');
      mkdirSync(join(root, 'package'));
      expect(codeState(join(root, 'package'))).to.deep.equal(none);
    });

    it('is the commit, and dirty once a tracked file changes', () => {
      git('init');
      writeFileSync(join(root, 'train.ts'), '1');
      git('add', 'train.ts');
      git('commit', '-m', 'first');
      const commit = git('rev-parse', 'HEAD');
      expect(commit).to.match(/^[0-9a-f]{40}$/);
      expect(codeState(root)).to.deep.equal({ commit, dirty: false });
      writeFileSync(join(root, 'untracked'), '');
      expect(codeState(root)).to.deep.equal({ commit, dirty: false });
      writeFileSync(join(root, 'train.ts'), '2');
      expect(codeState(root)).to.deep.equal({ commit, dirty: true });
    });

    it('is unknown where git is not installed', () => {
      expect(codeState(join(__dirname, '..', '..'), { PATH: root })).to.deep.equal(none);
    });
  });
});
