/**
 * Lines at the bottom of a terminal that are drawn anew in place. They are cut to its width, so that none takes two rows, and drawn
 * relative to the row they are in, so that nothing else on the screen is overwritten when it scrolls.
 */
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** The lines that are being drawn. There is one block of them at a time. */
let current: LiveLines | undefined;

export class LiveLines {
  private lines: readonly string[] = [];
  private isOpen = true;

  private constructor(private readonly stream: NodeJS.WriteStream) {}

  static on(stream: NodeJS.WriteStream): LiveLines {
    current = new LiveLines(stream);
    return current;
  }

  /** Draws lines in the place of those before. */
  show(lines: readonly string[]): void {
    if (!this.isOpen) return;
    this.stream.write(this.toTop() + this.drawn(lines));
    this.lines = lines;
  }

  /** Prints a line that stays, above those that change. */
  print(line: string): void {
    this.stream.write(`${this.toTop()}${line}${CLEAR_LINE}\n${this.drawn(this.lines)}`);
  }

  /** Leaves the lines as they are and moves to the next one. What the terminal has written behind them, such as `^C`, goes. */
  finish(): void {
    this.close(this.lines.length > 0 ? `${this.toTop()}${this.drawn(this.lines)}\n` : '');
  }

  /** Removes the lines. */
  clear(): void {
    this.close(this.toTop() + CLEAR_BELOW);
  }

  private close(text: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (current === this) current = undefined;
    this.stream.write(text);
  }

  /** Moves to the first column of the first line. */
  private toTop(): string {
    return this.lines.length > 1 ? `\x1b[${this.lines.length - 1}A\r` : '\r';
  }

  private drawn(lines: readonly string[]): string {
    return lines.map((line) => line.slice(0, columnsOf(this.stream) - 1)).join(`${CLEAR_LINE}\n`) + CLEAR_BELOW;
  }
}

/** The width of a terminal; one that does not tell it counts as the usual one. */
export function columnsOf({ columns }: NodeJS.WriteStream): number {
  return columns || 80;
}

/** Prints a line on stdout, above the lines that are being drawn, if there are any. */
export function printLine(line: string): void {
  if (current && process.stdout.isTTY) current.print(line);
  else process.stdout.write(`${line}\n`);
}

/** Leaves the lines that are being drawn as they are; returns whether there were any. */
export function finishLiveLines(): boolean {
  const wereDrawn = current !== undefined;
  current?.finish();
  return wereDrawn;
}
