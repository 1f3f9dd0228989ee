/** Methods and options that are interrupted at all kinds of moments: a sample of test/soak/resume.soak.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { expectSameBytes } from './helpers/disturbances';
import { sampleIn, writeWeights, type Combination } from './helpers/resume_matrix';

describe('a run of train.ts that goes on', function () {
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-matrix-'));
  after(() => rmSync(scratch, { recursive: true }));
  writeWeights(scratch);

  // Methods with a generator, a mask or a reversed gradient, and every third of the others; the soak tests interrupt all.
  const special = ['dafl', 'zskt', 'dfad', 'mgd', 'ctkd'];
  const isSpecial = ({ methods }: Combination) => methods.some((name) => special.includes(name));
  const sample = sampleIn(scratch).filter((one, i) => i % 3 === 0 || isSpecial(one));

  it('is tried with a generator, a mask and a reversed gradient', () => {
    expect(sample.flatMap(({ methods }) => methods)).to.include.members(special);
    expect(sample).to.have.length.above(15);
  });

  sample.forEach(({ title, params }, i) => {
    it(`ends with the same bytes with ${title}`, () => expectSameBytes(scratch, params, i));
  });
});
