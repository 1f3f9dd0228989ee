import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../utils/errors';
import { removeDrafts, writeFileAtomic } from '../../utils/files';

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
        `${path}: cannot be written: what is read back is not what was written`,
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
    const drafts = [`a.${gone}-0.draft`, `b.json.${process.pid}-7.draft`];
    const others = ['a', `a.${process.ppid}-0.draft`, 'notes.draft'];
    for (const name of [...drafts, ...others]) writeFileSync(join(directory, name), 'x');
    removeDrafts(directory);
    expect(readdirSync(directory).sort()).to.deep.equal(others.sort());
  });
});
