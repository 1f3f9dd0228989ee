import { expect } from 'chai';
import * as fc from 'fast-check';
import { paretoFront, type Candidate } from '../../report/pareto';

describe('paretoFront', () => {
  it('keeps what is cheapest for its score, from cheap to dear', () => {
    const candidates = [
      { cost: 3, score: 0.9 },
      { cost: 1, score: 0.5 },
      { cost: 2, score: 0.5 },
      { cost: 2, score: 0.7 },
      { cost: 4, score: 0.9 },
      { cost: 1, score: 0.4 },
    ];
    expect(paretoFront(candidates, 'maximize')).to.deep.equal([1, 3, 0]);
    expect(paretoFront(candidates, 'minimize')).to.deep.equal([5]);
  });

  it('keeps all of equals, and nothing that is not a number', () => {
    const candidates = [
      { cost: 1, score: 1 },
      { cost: 1, score: 1 },
      { cost: NaN, score: 2 },
      { cost: 0, score: NaN },
    ];
    expect(paretoFront(candidates, 'maximize')).to.deep.equal([0, 1]);
    expect(paretoFront([], 'maximize')).to.deep.equal([]);
  });

  it('is the set that the definition says, for any candidates', () => {
    const dominates = (a: Candidate, b: Candidate) =>
      a.cost <= b.cost && a.score >= b.score && (a.cost < b.cost || a.score > b.score);
    const candidate = fc.record({ cost: fc.integer({ min: 0, max: 5 }), score: fc.integer({ min: 0, max: 5 }) });
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 12 }), (candidates) => {
        const expected = candidates.flatMap((one, i) => (candidates.some((other) => dominates(other, one)) ? [] : [i]));
        expect(paretoFront(candidates, 'maximize').sort((a, b) => a - b)).to.deep.equal(expected);
      }),
    );
  });
});
