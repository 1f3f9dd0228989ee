/** Shapes of tensors: lists of lengths, the first axis first. */

/** `[128, 3, 32, 32]`, for messages. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** Whether two shapes have the same axes with the same lengths. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** The shape of an element-wise result by NumPy's broadcasting rule. Throws, naming `operator`, where shapes do not fit. */
export function broadcastShape(operator: string, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new Error(`${operator}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast`);
    }
    return m === 1 ? n : m;
  });
}
