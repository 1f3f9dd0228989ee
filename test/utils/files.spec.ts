import { spawnSync } from 'node:child_process';
import fs, {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { UserError } from '../../utils/errors';
import {
  draftOf,
  isFile,
  isThere,
  openToAppend,
  readText,
  removeDrafts,
  writeFileAtomic,
  writing,
} from '../../utils/files';
import { specialFiles } from '../helpers/special_files';

describe('writeFileAtomic', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'files-'));
    path = join(directory, 'a');
    writeFileSync(path, 'old');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** Does something while functions of the file system are others. */
  function withOther(functions: Partial<typeof fs>, action: () => void): void {
    const original = { ...fs };
    Object.assign(fs, functions);
    try {
      action();
    } finally {
      for (const name of Object.keys(functions) as (keyof typeof fs)[]) Object.assign(fs, { [name]: original[name] });
    }
  }

  it('writes parts one after another, also where the system takes less than it is given', () => {
    const { writeSync } = fs;
    let calls = 0;
    const reluctant = (file: number, data: Uint8Array, offset: number) => {
      calls++;
      return writeSync(file, data, offset, Math.min(4, data.length - offset));
    };
    withOther({ writeSync: reluctant as typeof fs.writeSync }, () =>
      writeFileAtomic(path, [Buffer.from('0123456789'), Buffer.alloc(0), Buffer.from('abc')]),
    );
    expect(calls).to.equal(4);
    expect(readFileSync(path, 'utf8')).to.equal('0123456789abc');
    expect(readdirSync(directory)).to.deep.equal(['a']);
  });

  it('leaves what was there where what it reads back is something else', () => {
    const { readSync } = fs;
    const faulty = (file: number, buffer: Uint8Array, ...rest: [number, number, null]) => {
      const count = readSync(file, buffer, ...rest);
      buffer[1]! ^= 4;
      return count;
    };
    withOther({ readSync: faulty as typeof fs.readSync }, () =>
      expect(() => writeFileAtomic(path, 'new')).to.throw(
        UserError,
        `${path}: cannot be written: the content read back differs from what was written`,
      ),
    );
    expect(readFileSync(path, 'utf8')).to.equal('old');
    expect(readdirSync(directory)).to.deep.equal(['a']);
  });

  it('replaces a link, and not what it leads to', () => {
    const link = join(directory, 'link');
    symlinkSync(path, link);
    writeFileAtomic(link, 'new');
    expect([path, link].map((file) => readFileSync(file, 'utf8'))).to.deep.equal(['old', 'new']);
  });

  it('leaves drafts behind only where it is killed, and these are removed', () => {
    const gone = spawnSync(process.execPath, ['--version']).pid;
    const ours = draftOf('b.json');
    const ofProcess = (pid: number) => ours.replace(`.${process.pid}-`, `.${pid}-`);
    const ofHost = (draft: string) => draft.replace(/\.[0-9a-f]{8}\./, '.00000000.');
    const drafts = [
      `a.${gone}-0.draft`,
      `b.json.${process.pid}-7.draft`,
      ours,
      ofProcess(gone),
      'old.00000000.1-0.draft',
    ];
    const others = ['a', `a.${process.ppid}-0.draft`, 'notes.draft', ofProcess(process.ppid), ofHost(ofProcess(gone))];
    for (const name of [...drafts, ...others]) writeFileSync(join(directory, name), 'x');
    const longAgo = Date.now() / 1000 - 25 * 60 * 60;
    utimesSync(join(directory, 'old.00000000.1-0.draft'), longAgo, longAgo);
    removeDrafts(directory);
    expect(readdirSync(directory).sort()).to.deep.equal(others.sort());
    removeDrafts(join(directory, 'none'));
  });

  it('takes another name for a draft where that is taken, on a shared disk by a process of the same number', () => {
    const next = Number(/-(\d+)\.draft$/.exec(draftOf(path))![1]) + 1;
    const taken = draftOf(path).replace(/-\d+\.draft$/, `-${next + 1}.draft`);
    writeFileSync(taken, 'of another');
    writeFileAtomic(path, 'new');
    expect([path, taken].map((file) => readFileSync(file, 'utf8'))).to.deep.equal(['new', 'of another']);
  });
});

describe('what is no file', function () {
  if (process.platform === 'win32') return;
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'special-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  const complaint = (action: () => unknown) => {
    try {
      action();
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };
  const says: Readonly<Record<string, string>> = {
    'a pipe': 'not a regular file',
    'a socket': 'not a regular file',
    'a device': 'not a regular file',
    'a link to a pipe': 'not a regular file',
    'a folder': 'not a regular file',
    'a loop of links': 'ELOOP: too many symbolic links encountered',
  };

  for (const [name, make] of Object.entries(specialFiles)) {
    it(`is named and left alone: ${name}`, async () => {
      const path = join(directory, 'file');
      const remove = await make(path);
      const before = lstatSync(path);
      expect(isThere(path)).to.equal(true);
      expect(isFile(path)).to.equal(false);
      if (name === 'a link to nowhere') {
        expect(complaint(() => readText(path))).to.equal(`${path}: broken link`);
      } else {
        expect(complaint(() => readText(path))).to.equal(`${path}: cannot be read: ${says[name]}`);
        expect(complaint(() => writeFileAtomic(path, 'new'))).to.equal(`${path}: cannot be written: ${says[name]}`);
      }
      const append = complaint(() => writing(path, () => openToAppend(path)));
      const isLink = before.isSymbolicLink();
      expect(append).to.equal(
        `${path}: cannot be written: ${isLink ? 'ELOOP: too many symbolic links encountered' : says[name]}`,
      );
      const after = lstatSync(path);
      expect([after.mode, after.ino]).to.deep.equal([before.mode, before.ino]);
      if (isLink) expect(readlinkSync(path)).not.to.equal('');
      expect(readdirSync(directory)).to.include('file').and.have.length.below(3);
      remove();
    });
  }

  it('is told apart from what is not there', () => {
    const path = join(directory, 'file');
    expect([isThere(path), isFile(path)]).to.deep.equal([false, false]);
    expect(complaint(() => readText(path))).to.equal(`${path}: no such file`);
    writeFileSync(path, '');
    expect([isThere(path), isFile(path)]).to.deep.equal([true, true]);
    expect(isThere(join(path, 'below'))).to.equal(false);
  });

  it('and other reasons are said once, with the path once', () => {
    const path = join(directory, 'none', 'file');
    const line = `${path}: cannot be written: ENOENT: no such file or directory`;
    expect(complaint(() => writeFileAtomic(path, ''))).to.equal(line);
    expect(complaint(() => writing(directory, () => writeFileAtomic(path, '')))).to.equal(line);
  });

  it('that takes no folder and says ENOENT ends the attempt, in a process that could hang', function () {
    if (process.platform !== 'linux') return this.skip();
    this.timeout(120_000);
    const cwd = join(__dirname, '..', '..');
    const code = `
      const { makeDirectory } = require('./utils/files');
      try { makeDirectory('/proc/none/below'); } catch (error) { console.log(error.message); }`;
    const args = ['-r', 'ts-node/register/transpile-only', '-e', code];
    const { stdout } = spawnSync(process.execPath, args, {
      cwd,
      encoding: 'utf8',
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    expect(stdout).to.match(/^\/proc\/none\/below: cannot be written: ENOENT[^\n]*\n$/);
  });
});
