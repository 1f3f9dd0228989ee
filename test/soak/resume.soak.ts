/** Every method with every option that it accepts, alone and with another method, interrupted at all kinds of moments. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { distillers } from '../../model/distillers';
import { expectSameBytes } from '../helpers/disturbances';
import { acceptedBy, combinationsIn, writeWeights } from '../helpers/resume_matrix';

describe('a run of train.ts that goes on', function () {
  this.timeout(30 * 60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'resume-soak-'));
  after(() => rmSync(scratch, { recursive: true }));
  writeWeights(scratch);
  const combinations = combinationsIn(scratch);

  it('is tried in more than 150 combinations, with every option that a method accepts', () => {
    expect(combinations).to.have.length.above(150);
    for (const name of Object.keys(distillers)) {
      const tried = combinations.filter(({ methods }) => methods[0] === name);
      expect(new Set(tried.flatMap(({ options }) => options)), name).to.have.all.keys(acceptedBy(name, scratch));
    }
  });

  combinations.forEach(({ title, params }, i) => {
    it(`ends with the same bytes with ${title}`, () => expectSameBytes(scratch, params, i));
  });
});
