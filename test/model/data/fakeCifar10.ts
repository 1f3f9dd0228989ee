/** A tiny folder in the binary layout of CIFAR-10, for tests. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const recordBytes = 3073;

/** Records first, first + 1, …: label (record mod 10), then pixels that differ from record to record and place to place. */
export function fakeRecords(first: number, size: number): Buffer {
  const bytes = Buffer.alloc(size * recordBytes);
  for (let i = 0; i < size; i++) {
    bytes[i * recordBytes] = (first + i) % 10;
    for (let p = 0; p < recordBytes - 1; p++) bytes[i * recordBytes + 1 + p] = fakePixel(first + i, p);
  }
  return bytes;
}

/** Value of place `p` of record `record`; never 0, so that padding can be told from pixels. */
export function fakePixel(record: number, p: number): number {
  return 1 + ((record * 31 + p * 7 + (p >> 5)) % 255);
}

/** A folder of two training files (20 and 15 records) and a test file (12 records). */
export function writeFakeCifar10(dir: string): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'data_batch_1.bin'), fakeRecords(0, 20));
  writeFileSync(join(dir, 'data_batch_2.bin'), fakeRecords(20, 15));
  writeFileSync(join(dir, 'test_batch.bin'), fakeRecords(100, 12));
}
