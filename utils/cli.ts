/** The command line of a script: parses its flags and sets its exit code. */
import { parseArgs } from 'node:util';
import { titleOf } from './commands';
import { isSystemError, messageOf, UserError } from './errors';
import { leaveTerminal } from './interrupt';
import { isOutOfMemory } from './memory';
import { nearest } from './nearest';
import { printable } from './printable';
import { packageVersion } from './version';

interface FlagTypes {
  string: string;
  number: number;
  boolean: boolean;
}

/**
 * `required`: advice if the flag is missing, such as "name the directory of an experiment". `formerly`: an older name, which is
 * still accepted.
 */
export type Flag = {
  [T in keyof FlagTypes]: { type: T; default?: FlagTypes[T]; required?: string; formerly?: string; help: string };
}[keyof FlagTypes];

export interface CommandSpec {
  /** Name of the script, such as `train.ts`. */
  name: string;
  /** One sentence. */
  summary: string;
  flags: Record<string, Flag>;
}

/** The flags' values; undefined for an optional flag without a default that is not given. */
export type Arguments<S extends CommandSpec> = {
  [K in keyof S['flags']]: S['flags'][K] extends { default: FlagTypes[keyof FlagTypes] } | { required: string }
    ? FlagTypes[S['flags'][K]['type']]
    : FlagTypes[S['flags'][K]['type']] | undefined;
};

/** Thrown for `--help` and `--version`: the script prints the text on stdout and does nothing else. */
class Answer extends Error {}

/** The command whose arguments were parsed last, if it got none. */
let bare: CommandSpec | undefined;

/** Exit code of a bug in this program (EX_SOFTWARE of sysexits.h). */
const internalError = 70;

/**
 * Runs a script. A UserError is printed on stderr, each line with the prefix `error: `, and sets its exit code; the usage
 * follows on stdout if the script needs arguments and got none. Running out of memory and errors of the operating system
 * are printed in one line. Any other error is printed with its stack and sets exit code 70.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  process.stdout.on('error', endUnlessClosed);
  process.stderr.on('error', endUnlessClosed);
  try {
    await main();
  } catch (error) {
    if (error instanceof Answer) {
      process.stdout.write(`${error.message}\n`);
    } else if (error instanceof UserError) {
      process.stderr.write(printable(error.message).replace(/^/gm, 'error: ') + '\n');
      process.exitCode = error.exitCode;
      if (bare && error.exitCode === 2) process.stdout.write(`${usage(bare)}\n`);
    } else if (isOutOfMemory(error)) {
      process.stderr.write(`error: out of memory: ${printable(messageOf(error)).replaceAll('\n', ' ')}\n`);
      process.exitCode = 1;
    } else if (isSystemError(error)) {
      // Such as "EACCES: permission denied, scandir 'data'".
      process.stderr.write(`error: ${printable(error.message).replaceAll('\n', ' ')}\n`);
      process.exitCode = 1;
    } else {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = internalError;
    }
  }
}

/** Prints a notice on stderr, if there is one. */
export function notice(line: string | undefined): void {
  if (line !== undefined) process.stderr.write(`notice: ${line}\n`);
}

/** Prints a warning on stderr, if there is one. */
export function warning(line: string | undefined): void {
  if (line !== undefined) process.stderr.write(`warning: ${line}\n`);
}

/** A closed pipe (as by `head`) or a closed terminal is not an error; a full disk is. */
function endUnlessClosed(this: NodeJS.WriteStream, { code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') return;
  if (code === 'EIO' && this.isTTY) {
    leaveTerminal();
    return;
  }
  process.stderr.write(`error: cannot write the output: ${message}\n`);
  process.exit(1);
}

/**
 * The values of a command's flags, written `--flag value` or `--flag=value`. Throws a UserError with exit code 2 for an
 * unknown flag, a missing or invalid value, or a word that belongs to no flag.
 */
export function parseArguments<const S extends CommandSpec>(argv: readonly string[], spec: S): Arguments<S> {
  const { flags } = spec;
  bare = argv.length === 0 ? spec : undefined;
  const former = Object.fromEntries(
    Object.values(flags).flatMap((flag) => (flag.formerly === undefined ? [] : [[flag.formerly, flag]])),
  );
  const accepted = { ...flags, ...former };
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean' },
  };
  for (const [name, { type }] of Object.entries(accepted)) {
    options[name] = { type: type === 'boolean' ? type : 'string' };
  }
  const args = withDashedValues(argv, accepted);
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== 'option' || Object.hasOwn(options, token.name)) continue;
    const known = nearest(
      token.rawName,
      Object.keys(options).map((name) => `--${name}`),
    );
    throw new UserError(`unknown option ${token.rawName}${known === undefined ? '' : `; did you mean ${known}?`}`, 2);
  }
  let given: Record<string, string | boolean | undefined>;
  try {
    given = parseArgs({ args, options }).values;
  } catch (error) {
    throw new UserError(messageOf(error).replaceAll('\n', ' '), 2);
  }
  if (given.help) throw new Answer(usage(spec));
  if (given.version) throw new Answer(packageVersion);
  const values = Object.entries(flags).map(([name, { type, default: fallback, required, formerly = name }]) => {
    if (formerly !== name && given[name] !== undefined && given[formerly] !== undefined) {
      throw new UserError(`--${name} and --${formerly} are two names of one option: keep --${name}`, 2);
    }
    const value = given[name] ?? given[formerly] ?? fallback;
    if (value === undefined && required !== undefined) throw new UserError(`--${name} is missing: ${required}`, 2);
    return [name, type === 'number' && typeof value === 'string' ? toNumber(name, value) : value];
  });
  return Object.fromEntries(values) as Arguments<S>;
}

/**
 * The value of a flag that accepts one of a few words; otherwise throws a UserError with exit code 2 that lists them.
 */
export function oneOf<T extends string>(flag: string, value: string, accepted: readonly T[]): T {
  const found = accepted.find((word) => word === value);
  if (found === undefined) {
    throw new UserError(`--${flag} must be one of ${accepted.join(', ')}, got ${JSON.stringify(value)}`, 2);
  }
  return found;
}

/** An integer that a flag gives; otherwise throws a UserError with exit code 2. */
export function integerFlag(flag: string, value: number, minimum: number, maximum = Infinity): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  const range = maximum === Infinity ? `from ${minimum}` : `from ${minimum} to ${maximum}`;
  throw new UserError(`--${flag} must be an integer ${range}, got ${value}`, 2);
}

/** Joins `--flag -x` to `--flag=-x` if the flag takes a value: no script has short options but -h, so -x must be the value. */
function withDashedValues(argv: readonly string[], flags: CommandSpec['flags']): string[] {
  const args: string[] = [];
  for (const word of argv) {
    const name = /^--(\w+)$/.exec(args.at(-1) ?? '')?.[1];
    const takesValue = name !== undefined && Object.hasOwn(flags, name) && flags[name]!.type !== 'boolean';
    if (takesValue && /^-[^-]/.test(word)) args.push(`${args.pop()}=${word}`);
    else args.push(word);
  }
  return args;
}

function toNumber(name: string, text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value)) throw new UserError(`--${name} must be a number, got ${JSON.stringify(text)}`, 2);
  return value;
}

function usage({ name, summary, flags }: CommandSpec): string {
  const rows = Object.entries(flags).map(([flag, { type, default: value, help }]) => [
    type === 'boolean' ? `--${flag}` : `--${flag} <${type}>`,
    value === undefined || value === false ? help : `${help} (default: ${value})`,
  ]);
  rows.push(['-h, --help', 'print this help and exit'], ['--version', 'print the version and exit']);
  const width = Math.max(...rows.map(([flag]) => flag!.length));
  const lines = rows.map(([flag, help]) => `  ${flag!.padEnd(width)}  ${help}`);
  return [`usage: ${titleOf(name)} [options]`, '', summary, '', ...lines].join('\n');
}
