/** Files that are whole or absent: written beside, flushed, renamed. */
import { readFileSync } from 'node:fs';
import { sync as writeSync } from 'write-file-atomic';
import { messageOf, UserError } from './errors';

/** Writes a file so that a reader, or the next start after a power cut, sees the old content or the new, never a part. */
export function writeFileAtomic(path: string, content: string | Uint8Array): void {
  writeSync(
    path,
    typeof content === 'string' ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength),
  );
}

/** Reads and parses a JSON file; a UserError names the file where it is missing or broken. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UserError(missing ? `${path}: no such file` : `${path}: cannot be read: ${messageOf(error)}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path}: not valid JSON: ${messageOf(error)}`);
  }
}

/** Writes JSON with four spaces to a level. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, JSON.stringify(value, null, 4));
}
