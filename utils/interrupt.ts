/** Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends the process at once. */

export interface Interrupt {
  readonly requested: boolean;
  /** 128 + the signal's number, as shells report it. */
  readonly exitCode: number;
}

const numbers = { SIGINT: 2, SIGTERM: 15 } as const;

/** Starts to listen. `announce` shows a line, on stderr unless it is given. */
export function onInterrupt(
  announce: (line: string) => void = (line) => void process.stderr.write(`\n${line}\n`),
): Interrupt {
  const interrupt = { requested: false, exitCode: 0 };
  for (const [signal, number] of Object.entries(numbers)) {
    process.on(signal, () => {
      if (interrupt.requested) process.exit(128 + number);
      interrupt.requested = true;
      interrupt.exitCode = 128 + number;
      announce('Saving; once more ends at once.');
    });
  }
  return interrupt;
}
