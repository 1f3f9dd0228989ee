/**
 * Lists the files of a tar archive and their positions, without reading them; supports long names (GNU, PAX, USTAR).
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Header, Pax } from 'tar';
import { messageOf, UserError } from '../utils/errors';
import { reading } from '../utils/files';

export interface TarEntry {
  readonly name: string;
  /** Offset of its first byte. */
  readonly position: number;
  readonly size: number;
}

const BLOCK = 512;
/** Bytes to read at once: a header and what follows it, mostly a small file. */
const WINDOW = 4096;
const MAX_NAME = 2 ** 16;

/**
 * The files of an archive in order; `text` reads a short one, of up to a megabyte. Throws a UserError of one line that
 * names the archive if it is damaged.
 */
export function* tarEntries(path: string): Generator<{ entry: TarEntry; text: () => string }> {
  const file = reading(path, () => openSync(path, 'r'));
  try {
    const size = fstatSync(file).size;
    const fail = (position: number, reason: string) =>
      new UserError(`${path}: not a valid tar archive: ${reason} at byte ${position}`);
    // The package's parsers throw Errors of their own, as for numbers in base 256.
    const parsed = <T>(position: number, parse: () => T): T => {
      try {
        return parse();
      } catch (error) {
        throw error instanceof UserError ? error : fail(position, messageOf(error));
      }
    };
    let window = { start: 0, bytes: Buffer.alloc(0) };
    const at = (position: number, length: number): Buffer => {
      const { start, bytes } = window;
      if (position < start || position + length > start + bytes.length) {
        const fresh = Buffer.alloc(Math.min(Math.max(length, WINDOW), size - position));
        window = { start: position, bytes: fresh.subarray(0, readSync(file, fresh, 0, fresh.length, position)) };
        if (window.bytes.length < length) throw fail(position, 'it is truncated');
      }
      return window.bytes.subarray(position - window.start, position - window.start + length);
    };

    let extended: Pax | undefined;
    let everywhere: Pax | undefined;
    let longName: string | undefined;
    for (let position = 0; position + BLOCK <= size;) {
      const block = Buffer.from(at(position, BLOCK));
      const header = parsed(position, () => new Header(block, 0, extended, everywhere));
      if (header.nullBlock) return;
      if (!header.cksumValid) throw fail(position, 'no file header');
      const [begin, bytes] = [position + BLOCK, header.size ?? 0];
      if (bytes > size - begin) throw fail(position, 'a truncated file');
      const content = (most: number) => {
        if (bytes > most)
          throw fail(position, `a name or extended header of ${bytes} bytes, accepted are up to ${most}`);
        return at(begin, bytes).toString('utf8');
      };
      const own = position;
      position = begin + BLOCK * Math.ceil(bytes / BLOCK);
      if (header.type === 'ExtendedHeader') {
        extended = parsed(own, () => Pax.parse(content(MAX_NAME), extended, false));
      } else if (header.type === 'GlobalExtendedHeader') {
        everywhere = parsed(own, () => Pax.parse(content(MAX_NAME), everywhere, true));
      } else if (header.type === 'NextFileHasLongPath') longName = content(MAX_NAME).replace(/\0.*$/s, '');
      else if (header.type !== 'NextFileHasLongLinkpath') {
        const name = longName ?? header.path ?? '';
        [extended, longName] = [undefined, undefined];
        if (!['File', 'OldFile', 'ContiguousFile'].includes(header.type)) continue;
        const text = () => {
          if (bytes > 2 ** 20) throw fail(own, `${name} has ${bytes} bytes, expected is a short text`);
          return at(begin, bytes).toString('utf8');
        };
        yield { entry: { name, position: begin, size: bytes }, text };
      }
    }
  } finally {
    closeSync(file);
  }
}
