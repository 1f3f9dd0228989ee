/** Values in several orders of their axes. */
import { expect } from 'chai';
import { loadPackage, type Tf } from '../../../../engine/backends/tensorflow/package';
import { channelsLast, commonOrder, Value } from '../../../../engine/backends/tensorflow/value';

describe('a value of TensorFlow.js', () => {
  let tf: Tf;
  before(async () => ({ tf } = await loadPackage()));

  const counted = (...shape: number[]) =>
    tf
      .range(
        0,
        shape.reduce((a, b) => a * b, 1),
      )
      .reshape(shape);

  it('is the same in every order', () => {
    const x = counted(2, 3, 4, 5);
    const value = new Value(tf, x);
    expect(value.channelsLast.shape).to.deep.equal([2, 4, 5, 3]);
    const back = new Value(tf, value.channelsLast, channelsLast(4));
    expect(back.shape).to.deep.equal([2, 3, 4, 5]);
    expect([...back.plain.dataSync()]).to.deep.equal([...x.dataSync()]);
    expect([...back.inOrder([3, 1, 0, 2]).dataSync()]).to.deep.equal([...x.transpose([3, 1, 0, 2]).dataSync()]);
  });

  it('is rearranged once, and freed with all that was made of it but what is lent', () => {
    const x = counted(2, 3, 4);
    const before = tf.memory().numTensors;
    const value = new Value(tf, x);
    expect(value.channelsLast).to.equal(value.channelsLast);
    expect(tf.memory().numTensors).to.equal(before + 1);
    value.dispose(x);
    expect(tf.memory().numTensors).to.equal(before);
    expect(x.isDisposed).to.equal(false);
    new Value(tf, x).dispose();
    expect(x.isDisposed).to.equal(true);
  });

  it('has channels last nowhere else below three axes', () => {
    expect([0, 1, 2, 3, 5].map(channelsLast)).to.deep.equal([[], [0], [0, 1], [0, 2, 1], [0, 2, 3, 4, 1]]);
  });

  it('meets others in the order that costs least', () => {
    const plain = new Value(tf, counted(2, 3, 4, 4));
    const last = new Value(tf, counted(2, 4, 4, 3), channelsLast(4));
    const column = new Value(tf, counted(1, 3, 1, 1));
    const scalar = new Value(tf, tf.scalar(1));
    const row = new Value(tf, counted(4));
    expect(commonOrder([plain, scalar])).to.deep.equal([0, 1, 2, 3]);
    expect(commonOrder([last, column, scalar])).to.deep.equal([0, 2, 3, 1]);
    expect(commonOrder([plain, last])).to.deep.equal([0, 2, 3, 1]);
    expect(commonOrder([last, row]), 'which is broadcast along the last axis').to.deep.equal([0, 1, 2, 3]);
    expect(commonOrder([plain, plain, last])).to.deep.equal([0, 1, 2, 3]);
  });
});
