import { expect } from 'chai';
import fc from 'fast-check';
import { microBatch } from '../../../model/training/gradient_accumulation';

describe('microBatch', () => {
  it('groups the micro-batches of an epoch; the last group has what is left', () => {
    const options = { examples: 17, batchSize: 3, accumulate: 4 };
    const first = { isFirst: true, isLast: false };
    const middle = { isFirst: false, isLast: false };
    const last = { isFirst: false, isLast: true };
    const epoch = (update: number) => [
      { update, share: 0.25, ...first },
      { update, share: 0.25, ...middle },
      { update, share: 0.25, ...middle },
      { update, share: 0.25, ...last },
      { update: update + 1, share: 3 / 5, ...first },
      { update: update + 1, share: 2 / 5, ...last },
    ];
    expect(Array.from({ length: 6 }, (_, step) => microBatch(1, step, options))).to.deep.equal(epoch(1));
    expect(Array.from({ length: 6 }, (_, step) => microBatch(4, step, options))).to.deep.equal(epoch(7));
  });

  it('says nothing where each batch is a step', () => {
    expect(microBatch(1, 0, { examples: 17, batchSize: 3, accumulate: 1 })).to.equal(undefined);
  });

  it('has shares that add up to 1, a beginning and an end in each group, and counts updates without a gap', () => {
    const sizes = fc.record({
      examples: fc.integer({ min: 1, max: 60 }),
      batchSize: fc.integer({ min: 1, max: 10 }),
      accumulate: fc.integer({ min: 2, max: 9 }),
    });
    fc.assert(
      fc.property(sizes, (options) => {
        let [update, share, isOpen] = [0, 0, false];
        for (let epoch = 1; epoch <= 2; epoch++) {
          for (let step = 0; step < Math.ceil(options.examples / options.batchSize); step++) {
            const micro = microBatch(epoch, step, options)!;
            expect(micro.isFirst).to.equal(!isOpen);
            if (micro.isFirst) [update, share] = [update + 1, 0];
            share += micro.share;
            expect(micro.update).to.equal(update);
            if (micro.isLast) expect(share).to.be.closeTo(1, 1e-12);
            isOpen = !micro.isLast;
          }
          expect(isOpen).to.equal(false);
        }
      }),
    );
  });
});
