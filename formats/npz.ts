/** NumPy's archives of arrays: a zip file whose entries `<name>.npy` are stored or deflated, as numpy.savez makes them. */
import { crc32 } from 'node:zlib';
import { openPromise, type Entry, type ZipFile } from 'yauzl';
import { messageOf, UserError } from '../utils/errors';
import { reading } from '../utils/files';
import { FormatError, quoted } from './binary';
import type { NdArray } from './ndarray';
import { parseNpy } from './npy';

const MAX_ENTRIES = 10_000;
/** Maximum bytes of an array, and the maximum compression ratio of deflate. */
const MAX_BYTES = 2 ** 32 - 1;
const MAX_EXPANSION = 1032;

/** The arrays of an archive by name, read one by one when they are asked for. */
export class Npz {
  private constructor(
    private readonly path: string,
    private readonly zip: ZipFile,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /** Throws a UserError of one line that names the file if it is missing or damaged. */
  static async open(path: string): Promise<Npz> {
    const zip = await refusing(path, () =>
      reading(path, () => openPromise(path, { lazyEntries: true, autoClose: false })),
    );
    try {
      const entries = await refusing(path, async () => {
        const found = new Map<string, Entry>();
        for await (const entry of zip.eachEntry()) {
          const name = /^(.*)\.npy$/s.exec(entry.fileName)?.[1];
          if (name === undefined) continue;
          if (found.has(name)) throw new FormatError(`it contains ${quoted(name)} twice`);
          if (found.size === MAX_ENTRIES) throw new FormatError(`it has more than ${MAX_ENTRIES} arrays`);
          found.set(name, entry);
        }
        return found;
      });
      return new Npz(path, zip, entries);
    } catch (error) {
      zip.close();
      throw error;
    }
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  read(name: string): Promise<NdArray> {
    const entry = this.entries.get(name)!;
    return refusing(this.path, async () => {
      const { uncompressedSize: size, compressedSize, crc32: checksum } = entry;
      if (size > MAX_BYTES)
        throw new UserError(`${this.path}: ${quoted(name)} has ${size} bytes, accepted are up to 2³²`);
      if (!entry.canDecodeFileData() || size > MAX_EXPANSION * (compressedSize + 1)) {
        throw new FormatError(`${quoted(name)} cannot be decompressed`);
      }
      const bytes = new Uint8Array(size);
      let at = 0;
      for await (const piece of await this.zip.openReadStreamPromise(entry)) {
        bytes.set(piece as Buffer, at);
        at += (piece as Buffer).length;
      }
      if (at !== size || crc32(bytes) !== checksum) throw new FormatError(`the checksum of ${quoted(name)} is wrong`);
      return parseNpy(bytes, `${this.path}: ${quoted(name)}`);
    });
  }

  close(): void {
    this.zip.close();
  }
}

async function refusing<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: not a valid .npz file: ${messageOf(error)}`);
  }
}
