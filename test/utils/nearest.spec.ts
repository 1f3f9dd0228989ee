import { expect } from 'chai';
import fc from 'fast-check';
import { editDistance, nearest } from '../../utils/nearest';

describe('nearest', () => {
  it('counts edits as in the literature', () => {
    expect(editDistance('kitten', 'sitting')).to.equal(3);
    expect(editDistance('saturday', 'sunday')).to.equal(3);
    expect(editDistance('ab', 'ba')).to.equal(1);
    // Optimal string alignment: no part is edited twice (the unrestricted distance would be 2).
    expect(editDistance('ca', 'abc')).to.equal(3);
    expect(editDistance('', 'abc')).to.equal(3);
    expect(editDistance('abc', '')).to.equal(3);
  });

  it('is symmetric, zero for equal words only, and at most the longer length', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 7 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).to.equal(editDistance(b, a));
        expect(distance === 0).to.equal(a === b);
        expect(distance).to.be.within(Math.abs(a.length - b.length), Math.max(a.length, b.length));
      }),
    );
  });

  it('names the closest known word, or none where none is close', () => {
    const names = ['alpha', 'temperature', 'learning_rate', 'seed'];
    expect(nearest('learning_rte', names)).to.equal('learning_rate');
    expect(nearest('aplha', names)).to.equal('alpha');
    expect(nearest('temprature', names)).to.equal('temperature');
    expect(nearest('sede', names)).to.equal('seed');
    expect(nearest('momentum', names)).to.equal(undefined);
    expect(nearest('', names)).to.equal(undefined);
    expect(nearest('x'.repeat(1e6), names)).to.equal(undefined);
    expect(nearest('alphas', ['alphabet', 'alpha'])).to.equal('alpha');
  });
});
