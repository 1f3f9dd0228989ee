/** train.ts in this process, where starting it costs nothing: for tests that start it hundreds of times. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as cli from '../../utils/cli';

const script = require.resolve('../../train');
const cliPath = require.resolve('../../utils/cli');

/** Runs train.ts to its end; returns what it said and what it failed with. */
export async function trainHere(args: readonly string[]): Promise<{ stdout: string; stderr: string; error: unknown }> {
  const said = { stdout: '', stderr: '' };
  const { argv } = process;
  const writers = [process.stdout, process.stderr].map((stream) => [stream, stream.write.bind(stream)] as const);
  const events: NodeJS.EventEmitter = process;
  const listeners = ['SIGHUP', 'SIGINT', 'SIGTERM', 'exit'].map((name) => [name, events.listeners(name)] as const);
  let running: Promise<void> | undefined;
  const module = require.cache[cliPath]!;
  const { exports } = module as { exports: unknown };
  try {
    module.exports = { ...cli, runMain: (main: () => Promise<void>) => (running = main()) };
    process.argv = [process.execPath, script, ...args];
    process.stdout.write = (text: unknown) => Boolean((said.stdout += String(text)));
    process.stderr.write = (text: unknown) => Boolean((said.stderr += String(text)));
    delete require.cache[script];
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- each time anew
    require(script);
    await running;
    return { ...said, error: undefined };
  } catch (error) {
    return { ...said, error };
  } finally {
    module.exports = exports;
    process.argv = argv;
    for (const [stream, write] of writers) stream.write = write;
    for (const [name, before] of listeners) {
      for (const one of events.listeners(name) as (() => void)[])
        if (!before.includes(one)) events.removeListener(name, one);
    }
  }
}

/** Has the lock of a directory name a process that is gone, as if that which holds it had been killed. */
export function abandonLock(directory: string): void {
  const path = join(directory, '.lock');
  const owner = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...owner, pid: 2 ** 22 + 1 }));
}
