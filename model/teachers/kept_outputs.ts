/**
 * Cached outputs of a teacher in files, one per computed batch. The key of a file is the digest of its batch's pixels,
 * and that of a row the digest of its image's pixels: equal pixels always find the outputs, whatever seed, epoch,
 * augmentation or data set they come from, and other pixels never do.
 *
 * A file holds, for each image, 16 bytes of the SHA-256 of its pixels and the CRC-32 of its row; then the rows, each
 * the float32 values of all outputs.
 */
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { bytesOf, ndarray, sizeOf, type NdArray } from '../../formats/ndarray';
import type { SharedCache } from '../../utils/shared_cache';

const DIGEST = 16;
const ENTRY = DIGEST + 4;

export type Outputs = Record<string, NdArray>;

/** The key of a batch: 128 bits per image, in hexadecimal digits. */
export interface BatchDigest {
  readonly rows: readonly string[];
  readonly name: string;
}

/** Digests a batch of `size` images. */
export function digestOf(images: Uint8Array, size: number): BatchDigest {
  const bytes = images.length / size;
  const digest = (data: Uint8Array | string) => hash('sha256', data, 'hex').slice(0, 2 * DIGEST);
  const rows = Array.from({ length: size }, (_, i) => digest(images.subarray(i * bytes, (i + 1) * bytes)));
  return { rows, name: digest(rows.join('')) };
}

/** The position of a row, and the row itself if there was memory for it. */
interface Place {
  readonly file: string;
  readonly offset: number;
  readonly crc: number;
  row?: Uint8Array;
}

/** Bytes of rows that stay in memory: those of logits of 10 classes for 6 million images. */
const MEMORY = 2 ** 28;

export class KeptOutputs {
  private readonly rowBytes: number;
  /** Positions of single rows, by batch size and digest, if these are tracked. */
  private readonly places: Map<string, Place> | undefined;
  private memory = MEMORY;

  /** `shapes`: of each output for one image; `finds`: whether to find rows in other batches too. */
  constructor(
    private readonly files: SharedCache,
    private readonly folder: string,
    private readonly shapes: readonly (readonly [name: string, shape: readonly number[]])[],
    finds: 'batches' | 'rows',
  ) {
    this.rowBytes = shapes.reduce((sum, [, shape]) => sum + 4 * sizeOf(shape), 0);
    if (finds === 'batches') return;
    this.places = new Map();
    for (const { name, bytes } of files.list(folder)) {
      const rows = bytes / (ENTRY + this.rowBytes);
      const table = Number.isInteger(rows) ? files.read(name, 0, rows * ENTRY) : undefined;
      if (table?.length === rows * ENTRY) this.note(name, table, rows);
    }
  }

  /** The file for the outputs of a batch. */
  fileOf({ name }: BatchDigest): string {
    return join(this.folder, name);
  }

  has(batch: BatchDigest): boolean {
    return this.files.has(this.fileOf(batch));
  }

  /** The cached outputs of a batch. */
  batch(batch: BatchDigest): Outputs | undefined {
    const file = this.fileOf(batch);
    const content = this.files.read(file);
    if (!content) return undefined;
    const { rows } = batch;
    const table = content.subarray(0, rows.length * ENTRY);
    const data = content.subarray(table.length);
    const row = (i: number) => data.subarray(i * this.rowBytes, (i + 1) * this.rowBytes);
    const isWhole =
      data.length === rows.length * this.rowBytes &&
      rows.every((digest, i) => {
        const entry = entryAt(table, i);
        return entry.digest === digest && entry.crc === crc32(row(i));
      });
    if (!isWhole) {
      this.files.discard(file);
      return undefined;
    }
    this.note(file, table, rows.length, data);
    return this.outputsOf(rows.map((_, i) => row(i)));
  }

  /** The outputs of a batch whose images are all cached, in any batches of the same size. */
  rows({ rows }: BatchDigest): Outputs | undefined {
    const found: Uint8Array[] = [];
    for (const digest of rows) {
      const key = `${rows.length}/${digest}`;
      const place = this.places?.get(key);
      const row = place && (place.row ?? this.read(place));
      if (!row) {
        this.places?.delete(key);
        return undefined;
      }
      found.push(row);
    }
    return this.outputsOf(found);
  }

  /** Stores the outputs of a batch. */
  keep(batch: BatchDigest, outputs: Outputs): void {
    const { rows } = batch;
    const content = new Uint8Array(rows.length * (ENTRY + this.rowBytes));
    const table = Buffer.from(content.buffer, 0, rows.length * ENTRY);
    rows.forEach((digest, i) => {
      let at = table.length + i * this.rowBytes;
      for (const part of this.parts(outputs, i)) {
        content.set(part, at);
        at += part.length;
      }
      table.write(digest, i * ENTRY, 'hex');
      table.writeUInt32LE(crc32(content.subarray(at - this.rowBytes, at)), i * ENTRY + DIGEST);
    });
    const file = this.fileOf(batch);
    if (this.files.write(file, content)) this.note(file, table, rows.length, content.subarray(table.length));
  }

  private read(place: Place): Uint8Array | undefined {
    const row = this.files.read(place.file, place.offset, this.rowBytes);
    if (row?.length === this.rowBytes && crc32(row) === place.crc) {
      this.remember(place, row);
      return row;
    }
    if (row) this.files.discard(place.file);
    return undefined;
  }

  private remember(place: Place, row: Uint8Array): void {
    if (this.memory < this.rowBytes) return;
    this.memory -= this.rowBytes;
    place.row = row;
  }

  /** The bytes of row `i` of each output. */
  private parts(outputs: Outputs, i: number): Uint8Array[] {
    return this.shapes.map(([name, shape]) => {
      const bytes = 4 * sizeOf(shape);
      return bytesOf(outputs[name]!).subarray(i * bytes, (i + 1) * bytes);
    });
  }

  private outputsOf(rows: readonly Uint8Array[]): Outputs {
    const empty = this.shapes.map(([name, shape]) => [name, ndarray('float32', [rows.length, ...shape])] as const);
    const outputs = Object.fromEntries(empty);
    rows.forEach((row, i) => {
      let at = 0;
      for (const part of this.parts(outputs, i)) {
        part.set(row.subarray(at, at + part.length));
        at += part.length;
      }
    });
    return outputs;
  }

  /** Records the positions of the rows of a file, and keeps rows that are in memory. */
  private note(file: string, table: Uint8Array, rows: number, data?: Uint8Array): void {
    for (let i = 0; this.places && i < rows; i++) {
      const { digest, crc } = entryAt(table, i);
      const key = `${rows}/${digest}`;
      if (this.places.has(key)) continue;
      const place: Place = { file, offset: rows * ENTRY + i * this.rowBytes, crc };
      this.places.set(key, place);
      if (data) this.remember(place, data.subarray(i * this.rowBytes, (i + 1) * this.rowBytes));
    }
  }
}

function entryAt(table: Uint8Array, i: number): { digest: string; crc: number } {
  const entry = Buffer.from(table.buffer, table.byteOffset + i * ENTRY, ENTRY);
  return { digest: entry.toString('hex', 0, DIGEST), crc: entry.readUInt32LE(DIGEST) };
}
