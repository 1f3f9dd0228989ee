/** How the memory of a process grows while it trains. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Training {
  readonly net: string;
  readonly channels: number;
  readonly batchSize: number;
  readonly steps: number;
  /** Bytes that each step keeps for ever. */
  readonly lost?: number;
}

/** Bytes of resident memory that a step adds, once the process is warm: the slope of the line of least squares. */
export async function growth({ net, channels, batchSize, steps, lost = 0 }: Training): Promise<number> {
  const script = join(__dirname, 'memory_of_steps.ts');
  const args = [net, ...[channels, batchSize, steps, lost].map(String)];
  const { stdout } = await run(process.execPath, ['--expose-gc', require.resolve('ts-node/dist/bin'), script, ...args]);
  return slope(JSON.parse(stdout) as [number, number][]);
}

/** Σ (x − x̄)(y − ȳ) / Σ (x − x̄)² */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanOf = (axis: 0 | 1) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [x, y] = [meanOf(0), meanOf(1)];
  const covariance = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return covariance / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
