/** Tiny folders in the layouts of the data sets, for tests; pixels are those of `fakePixel`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
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

/** An IDX file of unsigned bytes. */
export function idx(lengths: readonly number[], byteAt: (i: number) => number): Buffer {
  const header = Buffer.alloc(4 + 4 * lengths.length);
  header.set([0, 0, 8, lengths.length]);
  lengths.forEach((length, axis) => header.writeUInt32BE(length, 4 + 4 * axis));
  const count = lengths.reduce((product, length) => product * length, 1);
  return Buffer.concat([header, Buffer.from(Array.from({ length: count }, (_, i) => byteAt(i)))]);
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

/** A .npy file of version 1. */
export function npy(descr: string, shape: readonly number[], data: Uint8Array): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`.padEnd(117) + '\n';
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.of(118, 0), Buffer.from(header), data]);
}

/** CIFAR-10.1: 9 images with their colours side by side, labels 0 to 8. */
export function writeFakeCifar101(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const pixels = Uint8Array.from({ length: 9 * 3072 }, (_, i) => fakePixel(Math.floor(i / 3072), i % 3072));
  writeFileSync(join(dir, 'cifar10.1_v6_data.npy'), npy('|u1', [9, 32, 32, 3], pixels));
  const labels = new Uint8Array(Int32Array.from({ length: 9 }, (_, i) => i).buffer);
  writeFileSync(join(dir, 'cifar10.1_v6_labels.npy'), npy('<i4', [9], labels));
}

/** An image of one colour, with a black band on its left that is a quarter of its width. */
export async function writeImage(path: string, width: number, height: number, colour: string): Promise<void> {
  const band = sharp({ create: { width: Math.ceil(width / 4), height, channels: 3, background: 'black' } });
  await sharp({ create: { width, height, channels: 3, background: colour } })
    .composite([{ input: await band.png().toBuffer(), left: 0, top: 0 }])
    .toFile(path);
}

/** `<dir>/{train,val}/{ants,bees}`: 12 and 4 images of each class, of several sizes and formats. */
export async function writeFakeFolder(dir: string): Promise<void> {
  for (const [part, count] of [
    ['train', 12],
    ['val', 4],
  ] as const) {
    for (const [name, colour] of [
      ['ants', 'red'],
      ['bees', 'yellow'],
    ] as const) {
      mkdirSync(join(dir, part, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        const path = join(dir, part, name, `${i}.${['jpg', 'png', 'webp'][i % 3]}`);
        await writeImage(path, 40 + 3 * i, 60 - 2 * i, colour);
      }
    }
  }
}
