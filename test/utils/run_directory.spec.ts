/** The files of a run, apart from what training writes into them. */
import { expect } from 'chai';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunDirectory } from '../../utils/run_directory';

describe('putAside', () => {
  const path = mkdtempSync(join(tmpdir(), 'run-directory-'));
  after(() => rmSync(path, { recursive: true }));

  it('moves what came of a run, and leaves its stages and what the user put there', () => {
    const results = ['best.safetensors', 'export.json', 'student.int8.onnx', 'student.onnx', 'train.log'];
    const own = ['notes.txt', 'params.json', 'teacher.onnx'];
    for (const name of [...results, ...own]) writeFileSync(join(path, name), '');
    for (const name of ['evaluation', 'child', 'stages']) mkdirSync(join(path, name));
    const run = new RunDirectory(path);
    expect(run.putAside()).to.equal(join(path, 'before_1'));
    expect(readdirSync(join(path, 'before_1')).sort()).to.deep.equal([...results, 'evaluation'].sort());
    expect(readdirSync(path).sort()).to.deep.equal([...own, 'before_1', 'child', 'stages'].sort());
    expect(run.putAside()).to.equal(undefined);
    expect(existsSync(join(path, 'before_2'))).to.equal(false);
  });
});
