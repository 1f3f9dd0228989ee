/** Memory that is given back at once. */
import { MessageChannel } from 'node:worker_threads';

const { port1: nowhere, port2: closed } = new MessageChannel();
closed.close();

/**
 * Frees the memory of these buffers, which are empty afterwards: they are sent to where nobody is. Large buffers that a loop makes anew
 * each time are otherwise freed by the garbage collector alone, which walks through all other objects for that. (From Node.js 22 on
 * `ArrayBuffer.prototype.transfer` does the same.)
 */
export function freeNow(buffers: readonly ArrayBuffer[]): void {
  nowhere.postMessage(undefined, [...buffers]);
}
