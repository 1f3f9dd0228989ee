/**
 * A thread of its own, so that long steps do not hold it up: renews the time stamps of lock files by writing the same bytes
 * again. A file that says something else is no longer ours and is left alone.
 */
const { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');

const locks = new Map();

parentPort.on('message', ({ path, content }) => {
  if (content === undefined) locks.delete(path);
  else locks.set(path, content);
});

setInterval(() => {
  for (const [path, content] of locks) {
    try {
      // A pipe in its place would hold this thread, and with it the end of the process.
      const file = openSync(path, constants.O_RDWR | (constants.O_NONBLOCK ?? 0));
      try {
        if (fstatSync(file).isFile() && readFileSync(file, 'utf8') === content) writeSync(file, content, 0);
      } finally {
        closeSync(file);
      }
    } catch {
      // It was deleted, or its disk is away; the next beat tries again.
    }
  }
}, 1000 * workerData.seconds);
