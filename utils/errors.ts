/** Errors that the user can fix: one line, an exit code, no stack trace. */

/** An invalid input. The message is one line that names the file, the key, the value and what is accepted. */
export class UserError extends Error {
  /** 1: the work failed; 2: the command line is wrong. */
  constructor(
    message: string,
    readonly exitCode: 1 | 2 = 1,
  ) {
    super(message);
    this.name = 'UserError';
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The message of a file error without the path at its end, for messages that begin with the path. */
export function reasonOf(error: unknown, path: string): string {
  const message = messageOf(error);
  const { syscall, path: place } = Object(error) as Partial<NodeJS.ErrnoException>;
  return place?.startsWith(path) ? message.split(`, ${syscall} '`)[0]! : message;
}

/** Whether an error comes from the operating system (missing file, full disk) rather than from a bug. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
