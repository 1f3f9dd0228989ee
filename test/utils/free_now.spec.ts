import { expect } from 'chai';
import { freeNow } from '../../utils/free_now';

describe('freeNow', () => {
  it('empties buffers, and their memory is free before any garbage collection', () => {
    const before = process.memoryUsage().arrayBuffers;
    const buffers = [1e6, 3e6].map((bytes) => new ArrayBuffer(bytes));
    const made = process.memoryUsage().arrayBuffers;
    expect(made - before).to.be.at.least(4e6);
    freeNow(buffers);
    expect(buffers.map(({ byteLength }) => byteLength)).to.deep.equal([0, 0]);
    expect(made - process.memoryUsage().arrayBuffers).to.be.at.least(4e6);
    freeNow([]);
  });
});
