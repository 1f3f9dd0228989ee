/** Tiny folders in the layouts of the data sets, for tests; pixels are those of `fakePixel`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { Header } from 'tar';
import { fakePixel } from './fakeCifar10';

/** Records of CIFAR-100: coarse label i mod 20, fine label i mod 100, 3072 pixel bytes. */
export function fakeCifar100Records(size: number): Buffer {
  const bytes = Buffer.alloc(size * 3074);
  for (let i = 0; i < size; i++) {
    bytes[i * 3074] = i % 20;
    bytes[i * 3074 + 1] = (7 * i) % 100;
    for (let p = 0; p < 3072; p++) bytes[i * 3074 + 2 + p] = fakePixel(i, p);
  }
  return bytes;
}

export function writeFakeCifar100(dir: string): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'train.bin'), fakeCifar100Records(30));
  writeFileSync(join(dir, 'test.bin'), fakeCifar100Records(12));
}

/** A str as Python 2 pickles it. */
function str(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return bytes.length < 256
    ? Buffer.concat([Buffer.of(0x55, bytes.length), bytes])
    : Buffer.concat([Buffer.of(0x54), length, bytes]);
}

/** A batch of CIFAR's python version as Python 2 pickles it in protocol 2. */
export function cifarBatch(labels: Readonly<Record<string, readonly number[]>>, pixels: Uint8Array): Buffer {
  const rows = Buffer.alloc(4);
  rows.writeInt32LE(pixels.length / 3072);
  const lists = Object.entries(labels).map(([key, numbers]) =>
    Buffer.concat([str(key), Buffer.from(']('), ...numbers.map((number) => Buffer.of(0x4b, number)), Buffer.from('e')]),
  );
  return Buffer.concat([
    Buffer.from('\x80\x02}q\x01(', 'latin1'),
    ...lists,
    str('data'),
    Buffer.from('cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85', 'latin1'),
    str('b'),
    Buffer.from('\x87R(K\x01J', 'latin1'),
    rows,
    Buffer.from('M\x00\x0c\x86cnumpy\ndtype\n', 'latin1'),
    str('u1'),
    Buffer.from('K\x00K\x01\x87R(K\x03', 'latin1'),
    str('|'),
    Buffer.from('NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89', 'latin1'),
    str(pixels),
    Buffer.from('tbu.'),
  ]);
}

/** The python versions of CIFAR-10, in two files of 20 and 15 images and one of 12, and of CIFAR-100. */
export function writeFakeCifarPython(dir: string): void {
  const pixels = (first: number, size: number) =>
    Uint8Array.from({ length: 3072 * size }, (_, i) => fakePixel(first + Math.floor(i / 3072), i % 3072));
  const labels = (first: number, size: number, classes: number) =>
    Array.from({ length: size }, (_, i) => (first + i) % classes);
  for (const [name, first, size] of [
    ['data_batch_1', 0, 20],
    ['data_batch_2', 20, 15],
    ['test_batch', 100, 12],
  ] as const) {
    mkdirSync(join(dir, 'cifar-10-batches-py'), { recursive: true });
    const batch = cifarBatch({ labels: labels(first, size, 10) }, pixels(first, size));
    writeFileSync(join(dir, 'cifar-10-batches-py', name), batch);
  }
  for (const [name, size] of [
    ['train', 30],
    ['test', 12],
  ] as const) {
    mkdirSync(join(dir, 'cifar-100-python'), { recursive: true });
    const both = { fine_labels: labels(0, size, 100), coarse_labels: labels(7, size, 20) };
    writeFileSync(join(dir, 'cifar-100-python', name), cifarBatch(both, pixels(0, size)));
  }
}

/** An IDX file of unsigned bytes, or of integers of 32 bits. */
export function idx(lengths: readonly number[], valueAt: (i: number) => number, type: 8 | 12 = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * lengths.length);
  header.set([0, 0, type, lengths.length]);
  lengths.forEach((length, axis) => header.writeUInt32BE(length, 4 + 4 * axis));
  const count = lengths.reduce((product, length) => product * length, 1);
  const values = Array.from({ length: count }, (_, i) => valueAt(i));
  const elements = type === 8 ? Buffer.from(values) : Buffer.from(Int32Array.from(values).buffer).swap32();
  return Buffer.concat([header, elements]);
}

/** 30 training and 12 test images of 28 × 28; two of the files are compressed. */
export function writeFakeMnist(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const pixel = (i: number) => fakePixel(Math.floor(i / 784), i % 784);
  writeFileSync(join(dir, 'train-images-idx3-ubyte'), idx([30, 28, 28], pixel));
  writeFileSync(join(dir, 'train-labels-idx1-ubyte.gz'), gzipSync(idx([30], (i) => i % 10)));
  writeFileSync(join(dir, 't10k-images-idx3-ubyte.gz'), gzipSync(idx([12, 28, 28], pixel)));
  writeFileSync(
    join(dir, 't10k-labels-idx1-ubyte'),
    idx([12], (i) => (3 * i) % 10),
  );
}

/** EMNIST, whose images lie column by column, and whose letters count from 1. */
export function writeFakeEmnist(dir: string, split: string, classes: number, first = 0): void {
  mkdirSync(dir, { recursive: true });
  const pixel = (i: number) => {
    const [image, place] = [Math.floor(i / 784), i % 784];
    return fakePixel(image, (place % 28) * 28 + Math.floor(place / 28));
  };
  for (const [part, size, step] of [
    ['train', 30, 1],
    ['test', 12, 3],
  ] as const) {
    const name = (kind: string) => join(dir, `emnist-${split}-${part}-${kind}-ubyte`);
    writeFileSync(name('images-idx3'), idx([size, 28, 28], pixel));
    writeFileSync(
      name('labels-idx1'),
      idx([size], (i) => first + ((step * i) % classes)),
    );
  }
}

/** QMNIST, whose labels are the first of eight numbers. */
export function writeFakeQmnist(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const pixel = (i: number) => fakePixel(Math.floor(i / 784), i % 784);
  for (const [part, size] of [
    ['train', 30],
    ['test', 12],
  ] as const) {
    writeFileSync(join(dir, `qmnist-${part}-images-idx3-ubyte.gz`), gzipSync(idx([size, 28, 28], pixel)));
    const labels = idx([size, 8], (i) => (i % 8 === 0 ? (i / 8) % 10 : 1000 + i), 12);
    writeFileSync(join(dir, `qmnist-${part}-labels-idx2-int.gz`), gzipSync(labels));
  }
}

/** STL-10: pixel (channel, row, column) of image i, which a file has column by column. */
export function stl10Pixel(i: number, channel: number, row: number, column: number): number {
  return (i * 50 + channel * 80 + row * 2 + (column >> 1)) % 256;
}

function stl10Images(size: number): Buffer {
  const bytes = Buffer.alloc(size * 27648);
  let at = 0;
  for (let i = 0; i < size; i++) {
    for (let channel = 0; channel < 3; channel++) {
      for (let column = 0; column < 96; column++) {
        for (let row = 0; row < 96; row++) bytes[at++] = stl10Pixel(i, channel, row, column);
      }
    }
  }
  return bytes;
}

export function writeFakeStl10(dir: string): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'train_X.bin'), stl10Images(20));
  writeFileSync(join(dir, 'train_y.bin'), Buffer.from(Array.from({ length: 20 }, (_, i) => 1 + (i % 10))));
  writeFileSync(join(dir, 'test_X.bin'), stl10Images(5));
  writeFileSync(join(dir, 'test_y.bin'), Buffer.from([1, 2, 3, 10, 5]));
  writeFileSync(join(dir, 'unlabeled_X.bin'), stl10Images(7));
}

/** A MATLAB file of version 5 with arrays of unsigned bytes, column-major, each compressed or not. */
export function mat(
  arrays: Readonly<Record<string, readonly [shape: number[], bytes: Uint8Array]>>,
  packed: boolean,
): Buffer {
  const element = (type: number, data: Uint8Array) => {
    const tag = Buffer.alloc(8);
    tag.writeUInt32LE(type, 0);
    tag.writeUInt32LE(data.length, 4);
    return Buffer.concat([tag, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
  };
  const matrices = Object.entries(arrays).map(([name, [shape, bytes]]) => {
    const parts = [
      element(6, Buffer.of(9, 0, 0, 0, 0, 0, 0, 0)),
      element(5, Buffer.from(Int32Array.from(shape).buffer)),
      // A short name stands in its tag.
      Buffer.concat([Buffer.of(1, 0, name.length, 0), Buffer.from(name.padEnd(4, '\0'))]),
      element(2, bytes),
    ];
    const matrix = element(14, Buffer.concat(parts));
    if (!packed) return matrix;
    const deflated = deflateSync(matrix);
    const tag = Buffer.alloc(8);
    tag.writeUInt32LE(15, 0);
    tag.writeUInt32LE(deflated.length, 4);
    return Buffer.concat([tag, deflated]);
  });
  const header = Buffer.alloc(128, ' ');
  header.write('MATLAB 5.0 MAT-file');
  header.writeUInt16LE(0x100, 124);
  header.write('IM', 126);
  return Buffer.concat([header, ...matrices]);
}

/** SVHN: images of which a file has the planes column by column, and labels 1 to 10. */
export function svhn(size: number, packed = true): Buffer {
  const pixels = Uint8Array.from({ length: size * 3072 }, (_, i) => {
    const [image, place] = [Math.floor(i / 3072), i % 3072];
    const [channel, column, row] = [Math.floor(place / 1024), Math.floor(place / 32) % 32, place % 32];
    return fakePixel(image, channel * 1024 + row * 32 + column);
  });
  const labels = Uint8Array.from({ length: size }, (_, i) => 1 + (i % 10));
  return mat({ X: [[32, 32, 3, size], pixels], y: [[size, 1], labels] }, packed);
}

export function writeFakeSvhn(dir: string): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'train_32x32.mat'), svhn(30));
  writeFileSync(join(dir, 'test_32x32.mat'), svhn(12, false));
  writeFileSync(join(dir, 'extra_32x32.mat'), svhn(5));
}

/** A .npy file of version 1. */
export function npy(descr: string, shape: readonly number[], data: Uint8Array): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`.padEnd(117) + '\n';
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.of(118, 0), Buffer.from(header), data]);
}

/** A zip file, as NumPy writes it: with the sizes of an entry once more in an extra field of 64-bit numbers. */
export function zip(entries: Readonly<Record<string, Uint8Array>>, packed: boolean): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(entries)) {
    const stored = packed ? deflateRawSync(content) : Buffer.from(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(packed ? 8 : 0, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(stored.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.from(fields);
    local.writeUInt32LE(0xffffffff, 14);
    local.writeUInt32LE(0xffffffff, 18);
    local.writeUInt16LE(20, 24);
    const extra = Buffer.alloc(20);
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(16, 2);
    extra.writeBigUInt64LE(BigInt(content.length), 4);
    extra.writeBigUInt64LE(BigInt(stored.length), 12);
    parts.push(Buffer.from('PK\x03\x04'), local, Buffer.from(name), extra, stored);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x03'), fields, tail, Buffer.from(name));
    at += 30 + name.length + 20 + stored.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(Object.keys(entries).length, 4);
  end.writeUInt16LE(Object.keys(entries).length, 6);
  end.writeUInt32LE(list.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, list, Buffer.from('PK\x05\x06'), end]);
}

/** Arrays of images of 28 × 28, gray or in color with the colors side by side, and labels of 64 bits in a column. */
export function npzArrays(sizes: Readonly<Record<string, number>>, channels: 1 | 3): Record<string, Uint8Array> {
  const arrays: Record<string, Uint8Array> = {};
  for (const [part, size] of Object.entries(sizes)) {
    const bytes = 784 * channels;
    const pixels = Uint8Array.from({ length: size * bytes }, (_, i) => fakePixel(Math.floor(i / bytes), i % bytes));
    const labels = BigInt64Array.from({ length: size }, (_, i) => BigInt(i % 7));
    arrays[`${part}_images.npy`] = npy('|u1', channels === 1 ? [size, 28, 28] : [size, 28, 28, 3], pixels);
    arrays[`${part}_labels.npy`] = npy('<i8', [size, 1], new Uint8Array(labels.buffer));
  }
  return arrays;
}

/** A tar archive, with names of up to 100 characters. */
export function tar(files: readonly (readonly [name: string, content: Uint8Array | string])[]): Buffer {
  const blocks = files.flatMap(([name, content]) => {
    const bytes = Buffer.from(content);
    const header = Buffer.alloc(512);
    new Header({ path: name, size: bytes.length, mode: 0o644, type: 'File', mtime: new Date(0) }).encode(header, 0);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** Samples of PNG images, from `first` on. */
export async function samples(
  first: number,
  count: number,
  side = 12,
): Promise<(readonly [string, Uint8Array | string])[]> {
  const all = Array.from({ length: count }, async (_, i) => {
    const number = first + i;
    const pixels = Uint8Array.from({ length: 3 * side * side }, (_, p) => fakePixel(number, p));
    const image = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
      .png()
      .toBuffer();
    const name = `a/${String(number).padStart(6, '0')}`;
    return [
      [`${name}.cls`, `${number % 3}\n`],
      [`${name}.png`, image],
    ] as const;
  });
  return (await Promise.all(all)).flat();
}

/** WebDataset: two shards of 20 and 15 training images and one of 12 test images. */
export async function writeFakeWebDataset(dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'set-train-000000.tar'), tar(await samples(0, 20)));
  writeFileSync(join(dir, 'set-train-000001.tar'), tar(await samples(20, 15)));
  writeFileSync(join(dir, 'set-test-000000.tar'), tar(await samples(100, 12)));
}

/** CIFAR-10.1: 9 images with their colors side by side, labels 0 to 8. */
export function writeFakeCifar101(dir: string, version = 'v6'): void {
  mkdirSync(dir, { recursive: true });
  const pixels = Uint8Array.from({ length: 9 * 3072 }, (_, i) => fakePixel(Math.floor(i / 3072), i % 3072));
  writeFileSync(join(dir, `cifar10.1_${version}_data.npy`), npy('|u1', [9, 32, 32, 3], pixels));
  const labels = new Uint8Array(Int32Array.from({ length: 9 }, (_, i) => i).buffer);
  writeFileSync(join(dir, `cifar10.1_${version}_labels.npy`), npy('<i4', [9], labels));
}

/** An image of one color, with a black band on its left that is a quarter of its width. */
async function writeImage(path: string, width: number, height: number, color: string): Promise<void> {
  const band = sharp({ create: { width: Math.ceil(width / 4), height, channels: 3, background: 'black' } });
  await sharp({ create: { width, height, channels: 3, background: color } })
    .composite([{ input: await band.png().toBuffer(), left: 0, top: 0 }])
    .toFile(path);
}

/** Tiny ImageNet: images below the folders of classes, a list of those to validate on, and test images without a class. */
export async function writeFakeTinyImageNet(dir: string): Promise<void> {
  const colors = { n02: 'red', n01: 'yellow' };
  for (const [name, color] of Object.entries(colors)) {
    mkdirSync(join(dir, 'train', name, 'images'), { recursive: true });
    writeFileSync(join(dir, 'train', name, `${name}_boxes.txt`), `${name}_0.JPEG\t0\t0\t62\t62\n`);
    for (let i = 0; i < 12; i++)
      await writeImage(join(dir, 'train', name, 'images', `${name}_${i}.JPEG`), 40 + 3 * i, 64, color);
  }
  mkdirSync(join(dir, 'val', 'images'), { recursive: true });
  mkdirSync(join(dir, 'test', 'images'), { recursive: true });
  const rows = Array.from({ length: 6 }, (_, i) => `val_${i}.JPEG\t${i % 3 === 0 ? 'n02' : 'n01'}\t0\t32\t44\t62\n`);
  writeFileSync(join(dir, 'val', 'val_annotations.txt'), rows.join(''));
  for (let i = 0; i < 6; i++) await writeImage(join(dir, 'val', 'images', `val_${i}.JPEG`), 64, 64, 'red');
  await writeImage(join(dir, 'test', 'images', 'test_0.JPEG'), 64, 64, 'red');
}

/** Images in one folder, and a list of their classes and parts. */
export async function writeFakeList(dir: string): Promise<void> {
  mkdirSync(join(dir, 'images'), { recursive: true });
  const rows = ['image_id,label,split'];
  for (let i = 0; i < 30; i++) {
    await writeImage(join(dir, 'images', `${i}.jpg`), 40 + i, 60, ['red', 'yellow', 'lime'][i % 3]!);
    rows.push(`${i},${['cat', 'dog', 'ant'][i % 3]},${i % 5 === 0 ? 'test' : 'train'}`);
  }
  writeFileSync(join(dir, 'labels.csv'), rows.join('\n'));
}

/** `<dir>/{train,val}/{ants,bees}`: 12 and 4 images of each class, of several sizes and formats. */
export async function writeFakeFolder(dir: string): Promise<void> {
  for (const [part, count] of [
    ['train', 12],
    ['val', 4],
  ] as const) {
    for (const [name, color] of [
      ['ants', 'red'],
      ['bees', 'yellow'],
    ] as const) {
      mkdirSync(join(dir, part, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        const path = join(dir, part, name, `${i}.${['jpg', 'png', 'webp'][i % 3]}`);
        await writeImage(path, 40 + 3 * i, 60 - 2 * i, color);
      }
    }
  }
}
