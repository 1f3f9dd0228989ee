/** A folder that processes share: what is in it is whole, its size is bounded, and trouble with it is no trouble. */
import fs, { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SharedCache } from '../../utils/shared_cache';

describe('SharedCache', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'shared-cache-'));
  after(() => rmSync(scratch, { recursive: true }));
  let made = 0;
  let folder: string;
  let warnings: string[];
  beforeEach(() => {
    folder = join(scratch, String(made++));
    warnings = [];
  });
  const open = (maxBytes = 1e6, directory = folder) =>
    new SharedCache(directory, maxBytes, (line) => warnings.push(line));
  const bytes = (length: number, value = 7) => new Uint8Array(length).fill(value);
  const sizes = () =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => statSync(join(folder, name)))
      .filter((stats) => stats.isFile())
      .reduce((sum, { size }) => sum + size, 0);
  const usedLongAgo = (name: string, minutes: number) => {
    const then = new Date(Date.now() - minutes * 60_000);
    utimesSync(join(folder, name), then, then);
  };

  it('gives others what was written, whole or in part', () => {
    const cache = open();
    expect(existsSync(folder), 'the folder is made with its first file').to.equal(false);
    expect([cache.read('a/one'), cache.has('a/one'), cache.list('a')]).to.deep.equal([undefined, false, []]);
    expect(cache.write('a/one', Uint8Array.of(1, 2, 3, 4))).to.equal(true);
    const other = open();
    expect([...other.read('a/one')!]).to.deep.equal([1, 2, 3, 4]);
    expect([...other.read('a/one', 1, 2)!]).to.deep.equal([2, 3]);
    expect([...other.read('a/one', 3, 5)!]).to.deep.equal([4]);
    expect(other.has('a/one')).to.equal(true);
    expect(other.list('a')).to.deep.equal([{ name: join('a', 'one'), bytes: 4 }]);
    other.remove();
    expect(existsSync(folder)).to.equal(false);
    expect(cache.read('a/one')).to.equal(undefined);
  });

  it('never holds more than it may, whoever writes', () => {
    const caches = [open(20_000), open(20_000), open(20_000)];
    const written = Array.from({ length: 300 }, (_, i) => caches[i % 3]!.write(`a/${i}`, bytes(100)));
    expect(sizes()).to.be.at.most(20_000).and.at.least(15_000);
    expect(written.filter(Boolean)).to.have.lengthOf(sizes() / 100);
    expect(warnings).to.deep.equal([]);
  });

  it('drops first what was not used for the longest time, and nothing that was used since it began', () => {
    const before = open(10_000);
    for (let i = 0; i < 60; i++) before.write(`a/${i}`, bytes(100));
    // The higher the number, the longer ago; number 59 is used again.
    for (let i = 0; i < 60; i++) usedLongAgo(`a/${i}`, 10 + i);
    const cache = open(10_000);
    expect(cache.read('a/59')).to.have.lengthOf(100);
    for (let i = 0; i < 60; i++) cache.write(`b/${i}`, bytes(100));
    const left = Array.from({ length: 60 }, (_, i) => i).filter((i) => cache.has(`a/${i}`));
    expect(left).to.include(59);
    expect(left.slice(0, -1), 'the rest are the youngest').to.deep.equal(
      Array.from({ length: left.length - 1 }, (_, i) => i),
    );
    expect(left.length).to.be.lessThan(50);
    expect(sizes()).to.be.at.most(10_000);

    for (let i = 0; i < 200; i++) cache.write(`c/${i}`, bytes(100));
    expect(Array.from({ length: 60 }, (_, i) => cache.has(`b/${i}`))).to.deep.equal(Array(60).fill(true));
    expect([cache.has('a/59'), cache.has('a/0')]).to.deep.equal([true, false]);
    expect(sizes()).to.be.at.most(10_000);
  });

  it('takes claims as hints: the first has one, until the file is there', () => {
    const [mine, others] = [open(), open()];
    expect(mine.claim('a/one')).to.equal(true);
    expect(others.claim('a/one')).to.equal(false);
    expect(others.claim('a/two')).to.equal(true);
    expect(mine.list('a'), 'a claim is no file').to.deep.equal([]);
    // Whoever writes it: the claimant may be dead.
    others.write('a/one', bytes(1));
    expect(readdirSync(join(folder, 'a')).sort()).to.deep.equal(['one', 'two.claim']);
  });

  it('forgets claims and drafts of processes that are gone', () => {
    open().write('a/one', bytes(1));
    for (const name of ['a/two.claim', 'a/two.123.draft', 'a/new.claim']) writeFileSync(join(folder, name), '');
    usedLongAgo('a/two.claim', 61);
    usedLongAgo('a/two.123.draft', 61);
    open().write('a/three', bytes(1));
    expect(readdirSync(join(folder, 'a')).sort()).to.deep.equal(['new.claim', 'one', 'three']);
  });

  it('says nothing of what is missing, and warns once of what is damaged', () => {
    const cache = open();
    for (const name of ['a/one', 'a/two']) cache.write(name, bytes(10));
    cache.discard('a/one');
    cache.discard('a/two');
    expect([cache.has('a/one'), cache.has('a/two')]).to.deep.equal([false, false]);
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0]).to.include(join(folder, 'a/one')).and.to.include('damaged');
  });

  it('goes on without where it cannot be written, and warns once', () => {
    writeFileSync(folder, 'a file where the folder should be');
    const cache = open();
    expect(cache.read('a/one')).to.equal(undefined);
    expect([cache.claim('a/one'), cache.claim('a/one')]).to.deep.equal([true, true]);
    expect([cache.write('a/one', bytes(1)), cache.write('a/two', bytes(1))]).to.deep.equal([false, false]);
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0]).to.match(/cannot be written: E\w+: .*; continuing without this cache$/);
  });

  it('leaves nothing of a file that does not fit on the disk, and reads on', () => {
    const cache = open();
    cache.write('a/one', bytes(10));
    const write = fs.writeFileSync;
    fs.writeFileSync = (path, data) => {
      write(path, (data as Uint8Array).subarray(0, 5));
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    };
    try {
      expect(cache.write('a/two', bytes(10))).to.equal(false);
    } finally {
      fs.writeFileSync = write;
    }
    expect(readdirSync(join(folder, 'a'))).to.deep.equal(['one']);
    expect(cache.read('a/one')).to.have.lengthOf(10);
    expect(warnings).to.deep.equal([
      `${folder}: cannot be written: ENOSPC: no space left on device, write; continuing without this cache`,
    ]);
  });
});
