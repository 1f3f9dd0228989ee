/** Heartbeats: renews the timestamps of this process's lock files as long as it runs. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

let worker: Worker | undefined;

/** Starts to rewrite the file at `path` with its own `content` at an interval in seconds. */
export function startHeartbeat(path: string, content: string, seconds: number): void {
  if (worker === undefined) {
    worker = new Worker(join(__dirname, 'heartbeat_worker.cjs'), {
      workerData: { seconds },
      execArgv: [],
      stdin: false,
    });
    worker.unref();
    // Without signs of life the lock still counts on this machine; no training is to end for want of them.
    worker.on('error', () => (worker = undefined));
  }
  worker.postMessage({ path, content });
}

export function stopHeartbeat(path: string): void {
  worker?.postMessage({ path });
}
