/** Memory: whether an error is an out-of-memory error, and how much memory is available. */
import { messageOf } from './errors';

/** Whether an error is a failed allocation: by ONNX Runtime, C++, a GPU driver, or of a JavaScript array. */
export function isOutOfMemory(error: unknown): boolean {
  return /failed to allocate memory|bad_alloc|bad allocation|out of memory|array buffer allocation failed/i.test(
    messageOf(error),
  );
}

/** Bytes of memory still available to a process on this machine. */
export function availableBytes(): number {
  return process.availableMemory();
}

/** `3.2 GB` */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
