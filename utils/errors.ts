/** Errors that are the user's to mend: one line, an exit code, no stack trace. */

/** A wrong input. The message is one line that names the file, the key, the value and what is accepted. */
export class UserError extends Error {
  /** 1: the work could not be done; 2: the command itself was wrong. */
  constructor(
    message: string,
    readonly exitCode: 1 | 2 = 1,
  ) {
    super(message);
    this.name = 'UserError';
  }
}

/** Text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The text of what was thrown over a file, for a message that begins with its path: the system's own ends with it. */
export function reasonOf(error: unknown, path: string): string {
  const message = messageOf(error);
  const { syscall, path: place } = Object(error) as Partial<NodeJS.ErrnoException>;
  return place?.startsWith(path) ? message.split(`, ${syscall} '`)[0]! : message;
}

/** Whether it is the system that refused, as with a missing file or a full disk, and not a mistake of ours. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
