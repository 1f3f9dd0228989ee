/** Tests the readers of model/data/sets/. */
import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { readLarge } from '../../../../model/data/files/records';
import { loadDataset } from '../../../../model/data/index';
import { loadCifar10 } from '../../../../model/data/sets/cifar10';
import { loadCifar101 } from '../../../../model/data/sets/cifar10_1';
import { loadCifar100 } from '../../../../model/data/sets/cifar100';
import { loadMnist } from '../../../../model/data/sets/mnist';
import { loadStl10 } from '../../../../model/data/sets/stl10';
import { loadSvhn } from '../../../../model/data/sets/svhn';
import { UserError } from '../../../../utils/errors';
import { fakePixel, writeFakeCifar10 } from '../fakeCifar10';
import {
  cifarBatch,
  fakeCifar100Records,
  idx,
  mat,
  npy,
  stl10Pixel,
  svhn,
  writeFakeCifar100,
  writeFakeCifar101,
  writeFakeCifarPython,
  writeFakeEmnist,
  writeFakeMnist,
  writeFakeQmnist,
  writeFakeStl10,
  writeFakeSvhn,
} from '../fakes';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'formats-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Expects a UserError of one line. */
function expectRefusal(load: () => unknown, message: string): void {
  expect(load).to.throw(UserError, message).with.property('message').that.does.not.include('\n');
}

describe('loadCifar100', () => {
  beforeEach(() => writeFakeCifar100(dir));

  it('reads fine or coarse labels, and the pixels behind both', () => {
    const [fine, coarse] = [loadCifar100(dir, 'fine'), loadCifar100(dir, 'coarse')];
    expect([fine.train.size, fine.test.size]).to.deep.equal([30, 12]);
    expect([...fine.train.labels.slice(0, 4)]).to.deep.equal([0, 7, 14, 21]);
    expect([...coarse.train.labels.slice(18, 23)]).to.deep.equal([18, 19, 0, 1, 2]);
    expect(fine.train.images[29 * 3072 + 1500]).to.equal(fakePixel(29, 1500));
    expect(coarse.train.images).to.deep.equal(fine.train.images);
  });

  it('knows the names of all classes, or takes them from the files', () => {
    expect(new Set(loadCifar100(dir, 'fine').classes).size).to.equal(100);
    expect(loadCifar100(dir, 'fine').classes[99]).to.equal('worm');
    expect(new Set(loadCifar100(dir, 'coarse').classes).size).to.equal(20);
    writeFileSync(join(dir, 'coarse_label_names.txt'), Array.from({ length: 20 }, (_, i) => `c${i}\n`).join(''));
    expect(loadCifar100(dir, 'coarse').classes[19]).to.equal('c19');
    writeFileSync(join(dir, 'fine_label_names.txt'), 'a\nb\n');
    expectRefusal(() => loadCifar100(dir, 'fine'), '2 class names, but CIFAR-100 with fine labels has 100');
  });

  it('refuses missing and damaged files and labels out of range', () => {
    const test = join(dir, 'test.bin');
    const wrong = fakeCifar100Records(3);
    wrong[2 * 3074 + 1] = 100;
    writeFileSync(test, wrong);
    expectRefusal(() => loadCifar100(dir, 'fine'), `${test}: record 2 has the label 100, accepted are 0 to 99`);
    expect(loadCifar100(dir, 'coarse').test.size).to.equal(3);
    truncateSync(test, 5000);
    expectRefusal(() => loadCifar100(dir, 'fine'), `${test}: 5000 bytes is not a multiple of 3074`);
    rmSync(test);
    expectRefusal(() => loadCifar100(dir, 'fine'), `${dir}: contains no test.bin of CIFAR-100`);
  });
});

describe('the python versions of CIFAR', () => {
  beforeEach(() => writeFakeCifarPython(dir));
  const batch = () => join(dir, 'cifar-10-batches-py', 'data_batch_2');

  it('are read like the binary ones, from their folder, that above it, and one beside it that is not there', () => {
    writeFakeCifar10(join(dir, 'binary'));
    const binary = loadCifar10(join(dir, 'binary'));
    for (const place of ['.', 'cifar-10-batches-py', 'cifar-10-batches-bin']) {
      const { train, test, classes, remarks } = loadCifar10(join(dir, place));
      expect(train.images).to.deep.equal(binary.train.images);
      expect([...train.labels]).to.deep.equal([...binary.train.labels]);
      expect([...test.labels]).to.deep.equal([...binary.test.labels]);
      expect(classes[9]).to.equal('truck');
      const found = `CIFAR-10 is read from ${join(dir, 'cifar-10-batches-py')}`;
      expect(remarks).to.deep.equal(place === 'cifar-10-batches-py' ? [] : [found]);
    }
    const [fine, coarse] = [loadCifar100(dir, 'fine'), loadCifar100(dir, 'coarse')];
    expect([...fine.train.labels.slice(0, 3), ...coarse.train.labels.slice(12, 15)]).to.deep.equal([0, 1, 2, 19, 0, 1]);
    expect(fine.test.images[11 * 3072 + 5]).to.equal(fakePixel(11, 5));
  });

  it('are refused where they are damaged, in one line', () => {
    const load = () => loadCifar10(dir);
    const pixels = new Uint8Array(2 * 3072);
    const write = (content: Uint8Array | string) => writeFileSync(batch(), content);
    write(cifarBatch({ labels: [1, 10] }, pixels));
    expectRefusal(load, `${batch()}: element 1 is the label 10, accepted are 0 to 9`);
    write(cifarBatch({ labels: [1] }, pixels));
    expectRefusal(load, `${batch()}: 1 labels under "labels" for 2 images`);
    write(cifarBatch({ fine_labels: [1, 2] }, pixels));
    expectRefusal(load, `${batch()}: 0 labels under "labels" for 2 images`);
    write(cifarBatch({ labels: [1, 2] }, pixels).subarray(0, 5000));
    expectRefusal(load, `${batch()}: not a valid pickle: it is truncated`);
    const short = cifarBatch({ labels: [1, 2] }, pixels);
    short.writeUInt16LE(3071, short.indexOf('M\x00\x0c\x86', 0, 'latin1') + 1);
    write(short);
    expectRefusal(load, `${batch()}: not a valid pickle: an array does not have the form that NumPy writes`);
    write('\x80\x02]q\x00.');
    expectRefusal(load, `${batch()}: not a valid pickle`);
    write(Buffer.from('\x80\x02]q\x00.', 'latin1'));
    expectRefusal(load, `${batch()}: not a pickled dict, as CIFAR's files are`);
    rmSync(join(dir, 'cifar-10-batches-py', 'test_batch'));
    expectRefusal(load, `${join(dir, 'cifar-10-batches-py')}: contains no test_batch of CIFAR-10`);
    rmSync(join(dir, 'cifar-10-batches-py'), { recursive: true });
    writeFileSync(join(dir, 'cifar-10-python.tar.gz'), '');
    expectRefusal(
      load,
      `${dir}: contains no data_batch_*.bin or data_batch_1 of CIFAR-10: unpack cifar-10-python.tar.gz`,
    );
  });

  it('are named where a folder of images is asked for', async () => {
    const place = join(dir, 'cifar-10-batches-py');
    const params = { size: 16, test: 0.2, seed: 0, on_bad_image: 'refuse', cache: dir, cache_gigabytes: 1 } as const;
    const error: unknown = await loadDataset({ name: 'folder', dir: place, ...params }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(UserError);
    expect((error as Error).message).to.equal(
      `${place}: 0 folders in it, but two or more classes with a folder each are needed; it contains cifar10: set "dataset" to ` +
        '"cifar10" and "data_dir" to the folder',
    );
  });
});

describe('loadCifar101', () => {
  const [images, labels] = ['cifar10.1_v6_data.npy', 'cifar10.1_v6_labels.npy'];
  beforeEach(() => {
    writeFakeCifar10(join(dir, 'cifar10'));
    writeFakeCifar101(join(dir, 'new'));
  });
  const load = () => loadCifar101(join(dir, 'cifar10'), join(dir, 'new'));

  it('trains on CIFAR-10 and tests on the new images, whose colors lie side by side', () => {
    const { train, test, classes } = load();
    expect([train.size, test.size]).to.deep.equal([35, 9]);
    expect(classes[3]).to.equal('cat');
    expect([...test.labels]).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const [row, column, channel] of [
      [0, 0, 0],
      [3, 30, 1],
      [31, 31, 2],
    ] as const) {
      const place = channel * 1024 + row * 32 + column;
      expect(test.images[5 * 3072 + place]).to.equal(fakePixel(5, (row * 32 + column) * 3 + channel));
    }
  });

  it('refuses arrays of another kind', () => {
    const at = (name: string) => join(dir, 'new', name);
    writeFileSync(at(labels), npy('<i4', [8], new Uint8Array(32)));
    expectRefusal(load, `${at(labels)}: has the shape [8], accepted is [9]`);
    writeFileSync(at(labels), npy('|u1', [9], Uint8Array.of(0, 1, 2, 10, 4, 5, 6, 7, 8)));
    expectRefusal(load, `${at(labels)}: element 3 is the label 10`);
    writeFileSync(at(images), npy('|u1', [9, 3, 32, 32], new Uint8Array(9 * 3072)));
    expectRefusal(load, `${at(images)}: holds uint8 [9, 3, 32, 32], accepted is uint8 [N, 32, 32, 3]`);
    rmSync(at(images));
    expectRefusal(load, `contains no ${images} of CIFAR-10.1`);
  });
});

describe('loadMnist', () => {
  beforeEach(() => writeFakeMnist(dir));

  it('reads plain and compressed IDX files', () => {
    const { shape, classes, train, test, augmentation } = loadMnist(dir, 'mnist');
    expect(shape).to.deep.equal([1, 28, 28]);
    expect(classes).to.deep.equal([...'0123456789']);
    expect(augmentation).to.equal('crop');
    expect([train.size, test.size]).to.deep.equal([30, 12]);
    expect(train.images[17 * 784 + 500]).to.equal(fakePixel(17, 500));
    expect(test.images[11 * 784 + 3]).to.equal(fakePixel(11, 3));
    expect([...test.labels.slice(0, 5)]).to.deep.equal([0, 3, 6, 9, 2]);
    expect(loadMnist(dir, 'fashion_mnist').classes[9]).to.equal('Ankle boot');
  });

  it('puts black pixels around the images', () => {
    const [plain, padded] = [loadMnist(dir, 'mnist'), loadMnist(dir, 'mnist', 2)];
    expect(padded.shape).to.deep.equal([1, 32, 32]);
    const { images } = padded.train;
    expect(images).to.have.length(30 * 1024);
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        const inside = y >= 2 && y < 30 && x >= 2 && x < 30;
        const expected = inside ? plain.train.images[7 * 784 + (y - 2) * 28 + x - 2] : 0;
        expect(images[7 * 1024 + y * 32 + x]).to.equal(expected);
      }
    }
  });

  it('takes the size of the images from the files', () => {
    writeFileSync(
      join(dir, 'train-images-idx3-ubyte'),
      idx([30, 5, 7], (i) => i % 251),
    );
    expectRefusal(() => loadMnist(dir, 'mnist'), 'images of 28 × 28, but training images have 5 × 7');
    writeFileSync(
      join(dir, 't10k-images-idx3-ubyte'),
      idx([12, 5, 7], (i) => i % 251),
    );
    expect(loadMnist(dir, 'mnist').shape).to.deep.equal([1, 5, 7]);
  });

  it('refuses damaged files', () => {
    const labels = join(dir, 't10k-labels-idx1-ubyte');
    const load = () => loadMnist(dir, 'mnist');
    writeFileSync(
      labels,
      idx([11], () => 0),
    );
    expectRefusal(load, `${labels}: 11 labels for 12 images`);
    writeFileSync(
      labels,
      idx([12], (i) => i),
    );
    expectRefusal(load, `${labels}: element 10 is the label 10, accepted are 0 to 9`);
    writeFileSync(labels, idx([12], () => 0).subarray(0, 15));
    expectRefusal(load, `${labels}: 15 bytes, but 12 elements take 20: the file is damaged`);
    writeFileSync(labels, 'something else');
    expectRefusal(load, `${labels}: not an IDX file of unsigned bytes with 1 axes`);
    const compressed = join(dir, 'train-labels-idx1-ubyte.gz');
    writeFileSync(compressed, gzipSync(idx([30], () => 0)).subarray(0, 20));
    expectRefusal(load, `${compressed}: not a whole gzip file`);
    rmSync(compressed);
    expectRefusal(load, `${dir}: contains no train-labels-idx1-ubyte.gz of MNIST`);
  });
});

describe('the sets in the form of MNIST', () => {
  const pixels = ({ images }: { images: Uint8Array }, image: number) => images.subarray(image * 784, (image + 1) * 784);
  const fake = (image: number) => Uint8Array.from({ length: 784 }, (_, p) => fakePixel(image, p));

  it('are found where torchvision has them, also beside the folder that is not there', () => {
    writeFakeMnist(join(dir, 'FashionMNIST', 'raw'));
    for (const place of ['.', 'FashionMNIST', 'FashionMNIST/raw', 'fashion-mnist']) {
      const { train, remarks } = loadMnist(join(dir, place), 'fashion_mnist');
      expect(pixels(train, 3)).to.deep.equal(fake(3));
      const found = `Fashion-MNIST is read from ${join(dir, 'FashionMNIST', 'raw')}`;
      expect(remarks).to.deep.equal(place === 'FashionMNIST/raw' ? [] : [found]);
    }
    expectRefusal(() => loadMnist(dir, 'kmnist'), `${dir}: contains no train-images-idx3-ubyte of KMNIST`);
    expectRefusal(() => loadMnist(join(dir, 'other'), 'kmnist'), `${join(dir, 'other')}: not a folder`);
    writeFileSync(join(dir, 'kmnist.zip'), '');
    expectRefusal(
      () => loadMnist(dir, 'kmnist'),
      `${dir}: contains no train-images-idx3-ubyte of KMNIST: unpack kmnist.zip`,
    );
  });

  it('may have a dot in the names of their files', () => {
    writeFakeMnist(dir);
    for (const name of ['train-images-idx3-ubyte', 't10k-labels-idx1-ubyte']) {
      renameSync(join(dir, name), join(dir, name.replace('-idx', '.idx')));
    }
    expect([...loadMnist(dir, 'mnist').test.labels.slice(0, 5)]).to.deep.equal([0, 3, 6, 9, 2]);
  });

  it('KMNIST has its own classes', () => {
    writeFakeMnist(dir);
    expect(loadMnist(dir, 'kmnist').classes.join(' ')).to.equal('o ki su tsu na ha ma ya re wo');
  });

  it('EMNIST has upright images, labels from 0, and classes by its split', () => {
    writeFakeEmnist(join(dir, 'gzip'), 'letters', 26, 1);
    writeFakeEmnist(join(dir, 'gzip'), 'bymerge', 47);
    const { classes, train, test } = loadMnist(dir, 'emnist', 0, 'letters');
    expect([classes.length, classes[0], classes[25]]).to.deep.equal([26, 'a', 'z']);
    expect([...train.labels.slice(24, 28)]).to.deep.equal([24, 25, 0, 1]);
    expect([...test.labels.slice(0, 4)]).to.deep.equal([0, 3, 6, 9]);
    expect(pixels(train, 5)).to.deep.equal(fake(5));
    expect(loadMnist(dir, 'emnist', 0, 'bymerge').classes.slice(34).join('')).to.equal('YZabdefghnqrt');
    expectRefusal(
      () => loadMnist(dir, 'emnist'),
      `${dir}: contains no emnist-balanced-train-images-idx3-ubyte of EMNIST balanced`,
    );
    const labels = join(dir, 'gzip', 'emnist-letters-test-labels-idx1-ubyte');
    writeFileSync(
      labels,
      idx([12], (i) => i),
    );
    expectRefusal(
      () => loadMnist(dir, 'emnist', 0, 'letters'),
      `${labels}: element 0 is the label 0, accepted are 1 to 26`,
    );
  });

  it('QMNIST has the class in front of what else is known of a digit', () => {
    writeFakeQmnist(dir);
    const { train, test } = loadMnist(dir, 'qmnist');
    expect([...train.labels.slice(8, 12)]).to.deep.equal([8, 9, 0, 1]);
    expect([train.size, test.size]).to.deep.equal([30, 12]);
    const labels = join(dir, 'qmnist-test-labels-idx2-int');
    writeFileSync(
      labels,
      idx([12, 8], () => 10, 12),
    );
    expectRefusal(() => loadMnist(dir, 'qmnist'), `${labels}: element 0 is the label 10, accepted are 0 to 9`);
  });
});

describe('loadStl10', () => {
  beforeEach(() => writeFakeStl10(dir));

  it('reads planes that lie column by column, and labels from 1', () => {
    const { train, test, shape, validation } = loadStl10(dir, 'labeled');
    expect(shape).to.deep.equal([3, 96, 96]);
    expect([train.size, test.size, validation]).to.deep.equal([20, 5, undefined]);
    expect([...test.labels]).to.deep.equal([0, 1, 2, 9, 4]);
    for (const [i, channel, row, column] of [
      [0, 0, 0, 95],
      [19, 2, 95, 0],
      [7, 1, 10, 60],
    ] as const) {
      const place = i * 27648 + channel * 9216 + row * 96 + column;
      expect(train.images[place]).to.equal(stl10Pixel(i, channel, row, column));
    }
  });

  it('can train on the unlabeled images and then has the labeled ones to validate on', () => {
    const { train, validation } = loadStl10(dir, 'unlabeled');
    expect([train.size, validation!.size]).to.deep.equal([7, 20]);
    expect([...validation!.labels.slice(0, 11)]).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
  });

  it('refuses damaged files', () => {
    const labels = join(dir, 'test_y.bin');
    writeFileSync(labels, Buffer.of(1, 2, 3, 11, 5));
    expectRefusal(() => loadStl10(dir, 'labeled'), `${labels}: byte 3 is 11, accepted are 1 to 10`);
    writeFileSync(labels, Buffer.of(1, 2));
    expectRefusal(() => loadStl10(dir, 'labeled'), `${labels}: 2 labels for 5 images`);
    truncateSync(join(dir, 'train_X.bin'), 27647);
    expectRefusal(() => loadStl10(dir, 'labeled'), '27647 bytes is not a multiple of 27648');
  });
});

describe('loadSvhn', () => {
  beforeEach(() => writeFakeSvhn(dir));
  const refusal = async (message: string | RegExp) => {
    const error: unknown = await loadSvhn(dir).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(UserError);
    if (typeof message === 'string') expect((error as Error).message).to.equal(message);
    else expect((error as Error).message).to.match(message);
  };

  it('reads planes that lie column by column, and 10 as the digit 0', async () => {
    const { train, test, shape, remarks } = await loadSvhn(dir);
    expect([shape, train.size, test.size, remarks]).to.deep.equal([[3, 32, 32], 30, 12, []]);
    expect([...train.labels.slice(0, 11)]).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    for (const place of [0, 31, 32, 1023, 1024, 3071]) {
      expect(train.images[29 * 3072 + place]).to.equal(fakePixel(29, place));
      expect(test.images[11 * 3072 + place]).to.equal(fakePixel(11, place));
    }
    const all = await loadSvhn(dir, 'train+extra');
    expect([all.train.size, all.train.labels[30]]).to.deep.equal([35, 1]);
    expect(all.train.images[34 * 3072 + 77]).to.equal(fakePixel(4, 77));
  });

  it('refuses damaged files, and those of other versions', async () => {
    const path = join(dir, 'test_32x32.mat');
    const write = (content: Uint8Array | string) => writeFileSync(path, content);
    write(svhn(12).subarray(0, 1500));
    await refusal(`${path}: not a valid MATLAB file: it is truncated`);
    const packed = svhn(12);
    packed[400]! ^= 1;
    write(packed);
    await refusal(/^.*test_32x32\.mat: not a valid MATLAB file: (incorrect|invalid) /);
    const labels = Buffer.alloc(12, 1);
    const images = new Uint8Array(12 * 3072);
    write(mat({ X: [[32, 32, 3, 12], images], y: [[11, 1], labels.subarray(0, 11)] }, true));
    await refusal(`${path}: 11 labels for 12 images`);
    labels[3] = 11;
    write(mat({ X: [[32, 32, 3, 12], images], y: [[12, 1], labels] }, true));
    await refusal(`${path}: element 3 of "y" is 11, accepted are 1 to 10`);
    write(mat({ X: [[12, 32, 32, 3], images] }, true));
    await refusal(`${path}: no array "y" in it`);
    write(mat({ X: [[12, 32, 32, 3], images], y: [[12, 1], labels] }, true));
    await refusal(`${path}: "X" has the shape [12, 32, 32, 3], accepted is uint8 [32, 32, 3, N]`);
    write(mat({ X: [[32, 32, 3, 13], images], y: [[12, 1], labels] }, true));
    await refusal(`${path}: not a valid MATLAB file: "X" has the shape [32, 32, 3, 13], but 36864 bytes`);
    write(`MATLAB 7.3 MAT-file${' '.repeat(200)}`);
    await refusal(`${path}: of MATLAB's version 7.3 (HDF5), accepted is 5: save it with -v7`);
    write(' '.repeat(200));
    await refusal(`${path}: not a MATLAB file of version 5`);
    rmSync(path);
    await refusal(`${dir}: contains no test_32x32.mat of SVHN`);
  });
});

describe('readLarge', () => {
  it('reads a whole file in pieces', () => {
    const path = join(dir, 'large');
    const bytes = Buffer.alloc(2 ** 26 + 5, 7);
    bytes[2 ** 26 + 4] = 9;
    writeFileSync(path, bytes);
    const read = readLarge(path);
    expect([read.length, read[0], read[2 ** 26 + 3], read[2 ** 26 + 4]]).to.deep.equal([2 ** 26 + 5, 7, 7, 9]);
  });
});
