/** What may have the name of a file and be none. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';

/** Makes something of this name; what it returns lets go of it again. */
type Maker = (path: string) => Promise<() => void> | (() => void);

const nothing = () => {};

/** Seconds that anybody may wait at a pipe. */
const LIMIT = 5;

/** In a thread, as who opens a pipe that nobody else has open stands still with all of its own thread. */
const openLater = `
  const { closeSync, constants, openSync } = require('node:fs');
  const { workerData: path } = require('node:worker_threads');
  const open = () => {
    try {
      closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
    } catch {
      // It was moved aside.
    }
  };
  setTimeout(() => setInterval(open, 50), ${1000 * LIMIT});
`;

/** Makes a pipe. Who waits at it, against what a test expects, does so for some seconds, and then finds it empty. */
export function makePipe(path: string): () => void {
  execFileSync('mkfifo', [path]);
  const rescuer = new Worker(openLater, { eval: true, workerData: path });
  rescuer.unref();
  return () => void rescuer.terminate();
}

function linkTo(target: string): Maker {
  return (path) => {
    symlinkSync(target, path);
    return nothing;
  };
}

export const specialFiles: Readonly<Record<string, Maker>> = {
  'a pipe': makePipe,
  'a socket': (path) =>
    new Promise((resolve) => {
      const server = createServer().listen(path, () => resolve(() => void server.close()));
    }),
  'a device': linkTo('/dev/zero'),
  'a link to a pipe': (path) => {
    symlinkSync(`${basename(path)}.pipe`, path);
    return makePipe(`${path}.pipe`);
  },
  'a folder': (path) => {
    mkdirSync(path);
    return nothing;
  },
  'a link to nowhere': linkTo('nowhere'),
  'a loop of links': (path) => linkTo(basename(path))(path),
};
