import { expect } from 'chai';
import { UserError } from '../../utils/errors';
import { mostThreads, threadsHere, threadsWarning } from '../../utils/threads';

describe('threads', () => {
  const what = 'a/params.json: "threads"';

  it('are accepted up to the cores, warned of above, and refused above four for each', () => {
    for (const threads of [0, 1, 2]) expect(threadsWarning(what, threads, 2)).to.equal(undefined);
    for (const threads of [3, 8]) {
      expect(threadsWarning(what, threads, 2)).to.equal(
        `a/params.json: "threads" is ${threads}, more than the 2 cores of this machine: steps will be slow`,
      );
    }
    expect(threadsWarning(what, 2, 1)).to.contain(' more than the 1 core of this machine: ');
    expect(() => threadsWarning(what, 9, 2)).to.throw(
      UserError,
      /^a\/params\.json: "threads" must be at most 8 \(4 per core\), got 9$/,
    );
    expect(mostThreads(3)).to.equal(12);
  });

  it('of a script that evaluates are as many as there are cores at most, and 0 stays all of them', () => {
    expect([0, 1, 2, 3, 1000].map((threads) => threadsHere(threads, 2))).to.deep.equal([0, 1, 2, 2, 2]);
  });
});
