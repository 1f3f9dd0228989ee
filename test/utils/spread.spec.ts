import { expect } from 'chai';
import { evenlySpaced } from '../../utils/spread';

describe('evenlySpaced', () => {
  it('leaves out no part of the positions, and has all of a few', () => {
    expect([...evenlySpaced(10, 4)]).to.deep.equal([0, 2, 5, 7]);
    expect([...evenlySpaced(3, 4)]).to.deep.equal([0, 1, 2]);
    expect([...evenlySpaced(0, 4)]).to.deep.equal([]);
  });
});
