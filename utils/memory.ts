/** Memory: whether it is what was missing, and how much there is. */
import { messageOf } from './errors';

/** Whether an allocation failed: one of ONNX Runtime, of C++, of a GPU, or of an array. */
export function isOutOfMemory(error: unknown): boolean {
  return /failed to allocate memory|bad_alloc|bad allocation|out of memory|array buffer allocation failed/i.test(
    messageOf(error),
  );
}

/** Bytes that a process may still take here. */
export function availableBytes(): number {
  return process.availableMemory();
}

/** `3.2 GB` */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
