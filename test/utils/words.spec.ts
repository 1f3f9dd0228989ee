import { expect } from 'chai';
import { counted, ordinal } from '../../utils/words';

describe('counted', () => {
  it('has a plural for all but one', () => {
    expect([0, 1, 2, 101].map((count) => counted(count, 'epoch'))).to.deep.equal([
      '0 epochs',
      '1 epoch',
      '2 epochs',
      '101 epochs',
    ]);
  });
});

describe('ordinal', () => {
  it('ends as it is spoken', () => {
    const spoken =
      '1st 2nd 3rd 4th 9th 10th 11th 12th 13th 14th 20th 21st 22nd 23rd 100th 101st 111th 112th 1013th 1022nd';
    expect(
      spoken
        .split(' ')
        .map((word) => ordinal(parseInt(word)))
        .join(' '),
    ).to.equal(spoken);
  });
});
