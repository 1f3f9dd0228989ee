/**
 * Faults of the file system on purpose, after the tests of SQLite (https://www.sqlite.org/testing.html) and FoundationDB
 * (https://apple.github.io/foundationdb/testing.html): whatever changes the files of a directory is counted, and one such
 * operation can be made to fail, or to be the last that the process did.
 */
import fs from 'node:fs';
import { resolve, sep } from 'node:path';

export const faults = {
  /** The process is gone before the operation, … */
  'killed before': { isEnd: true, done: 0 },
  /** … when half of the bytes are written, … */
  'killed within': { isEnd: true, done: 0.5 },
  /** … or right after it. */
  'killed after': { isEnd: true, done: 1 },
  /** The disk is full from then on: half of a write, and no new folder. */
  full: { code: 'ENOSPC', text: 'no space left on device', done: 0.5, lasts: true },
  /** The operation fails, the next one does not. */
  failing: { code: 'EIO', text: 'i/o error', done: 0.5 },
  /** The file system is read-only from then on. */
  'read-only': { code: 'EROFS', text: 'read-only file system', done: 0, lasts: true },
} as const;

export type FaultName = keyof typeof faults;

interface Fault {
  readonly isEnd?: boolean;
  readonly code?: string;
  readonly text?: string;
  /** Share of the bytes that are written nevertheless; 1: the operation is done. */
  readonly done: number;
  readonly lasts?: boolean;
}

/** What a killed process would have gone on to do. */
export class Killed extends Error {}

export interface Faulty {
  /** What was done to the directory, such as `rename last.safetensors`. */
  readonly operations: readonly string[];
  /** Whether the fault has happened. */
  readonly hasHappened: () => boolean;
  /** Makes the file system as it was. */
  readonly restore: () => void;
}

/** Operations under way, whose own operations do not count. */
let depth = 0;

/** Does something as another process would, to which no fault happens. */
export function soundly<T>(work: () => T): T {
  depth++;
  try {
    return work();
  } finally {
    depth--;
  }
}

/**
 * Counts what is done to the files below `directory`, and has the operation `at` (from 0) go wrong. `end` ends the process;
 * where it returns, everything that follows throws `Killed`.
 */
export function inject(directory: string, at = Infinity, name: FaultName = 'failing', end = () => {}): Faulty {
  const fault: Fault = faults[name];
  const original = { ...fs };
  const root = resolve(directory) + sep;
  const paths = new Map<number, string>();
  const operations: string[] = [];
  let happened = false;
  let isDead = false;

  const pathOf = (file: unknown) => (typeof file === 'number' ? paths.get(file) : resolve(String(file)));
  const fail = (syscall: string, path: string): never => {
    if (fault.isEnd) {
      isDead = true;
      end();
      throw new Killed(`${syscall} ${path}`);
    }
    throw Object.assign(new Error(`${fault.code}: ${fault.text}, ${syscall} '${path}'`), { code: fault.code, syscall });
  };

  /** Does an operation on `file`, as often as it is asked to; `part` does half of it. */
  const operation = <T>(what: string, file: unknown, all: () => T, part?: () => void): T => {
    const path = pathOf(file);
    if (depth > 0 || path === undefined || !(path + sep).startsWith(root)) return all();
    if (isDead) throw new Killed(what);
    const isDue = operations.length === at;
    const isStill = fault.lasts === true && operations.length > at;
    operations.push(`${what} ${path.slice(root.length)}`);
    const needsSpace = part !== undefined || what === 'mkdir' || fault.code !== 'ENOSPC';
    if (!(isDue || isStill) || !needsSpace) return soundly(all);
    happened = true;
    if (fault.done === 0.5 && part) soundly(part);
    if (fault.done === 1) soundly(all);
    return fail(what, path);
  };

  const half = (data: unknown) => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : (data as Uint8Array);
    return bytes.subarray(0, bytes.length >> 1);
  };
  const patches: Partial<typeof fs> = {
    openSync(path, flags, mode) {
      const open = () => original.openSync(path, flags, mode);
      const makes = typeof flags === 'number' ? (flags & fs.constants.O_CREAT) > 0 : /[wa]/.test(String(flags));
      const file = makes ? operation('open', path, open) : open();
      paths.set(file, resolve(String(path)));
      return file;
    },
    closeSync(file) {
      paths.delete(file);
      original.closeSync(file);
    },
    writeFileSync: ((path: fs.PathOrFileDescriptor, data: string | Uint8Array, options?: fs.WriteFileOptions) =>
      operation(
        'write',
        path,
        () => original.writeFileSync(path, data, options),
        () => original.writeFileSync(path, half(data), options),
      )) as typeof fs.writeFileSync,
    appendFileSync: (path, data, options) =>
      operation(
        'append',
        path,
        () => original.appendFileSync(path, data, options),
        () => original.appendFileSync(path, half(data), options),
      ),
    fsyncSync: (file) => operation('fsync', file, () => original.fsyncSync(file)),
    renameSync: (from, to) => operation('rename', to, () => original.renameSync(from, to)),
    linkSync: (from, to) => operation('link', to, () => original.linkSync(from, to)),
    rmSync: (path, options) => operation('rm', path, () => original.rmSync(path, options)),
    mkdirSync: ((path: fs.PathLike, options?: fs.MakeDirectoryOptions) =>
      operation('mkdir', path, () => original.mkdirSync(path, options))) as typeof fs.mkdirSync,
    truncateSync: (path, length) => operation('truncate', path, () => original.truncateSync(path, length)),
    ftruncateSync: (file, length) => operation('truncate', file, () => original.ftruncateSync(file, length)),
  };
  Object.assign(fs, patches);
  return {
    operations,
    hasHappened: () => happened,
    restore: () => {
      for (const name of Object.keys(patches) as (keyof typeof patches)[])
        Object.assign(fs, { [name]: original[name] });
    },
  };
}
