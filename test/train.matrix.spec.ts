/** Methods and options that are interrupted at all kinds of moments: a sample of test/soak/resume.soak.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { distillers } from '../model/distillers';
import { expectSameBytes } from './helpers/disturbances';
import { sampleIn, writeWeights } from './helpers/resume_matrix';

describe('a run of train.ts that goes on', function () {
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-matrix-'));
  after(() => rmSync(scratch, { recursive: true }));
  writeWeights(scratch);

  const sample = sampleIn(scratch);

  it('is tried with every method, those with a generator, masks or a reversed gradient among them', () => {
    expect(Object.keys(distillers)).to.include.members(['dafl', 'zskt', 'dfad', 'mgd', 'ctkd']);
    // The network of deit is slow: the soak tests interrupt it.
    const names = Object.keys(distillers).filter((name) => name !== 'deit');
    expect(sample.flatMap(({ methods }) => methods)).to.include.members(names);
  });

  sample.forEach(({ title, params }, i) => {
    it(`ends with the same bytes with ${title}`, () => expectSameBytes(scratch, params, i));
  });
});
