/** Weights of networks that Python can draw as well (test/fixtures/philox.py). */
import type { State } from '../../engine/session';
import { Random } from '../../utils/random';
import { ndarray, sizeOf, type NdArray } from '../../utils/ndarray';

/** Uniform values of [low, high) from stream `test/<name>`, coordinate `a`. */
export function draw(
  seed: number,
  name: string,
  shape: readonly number[],
  low: number,
  high: number,
  a = 0,
): NdArray<'float32'> {
  const data = new Float32Array(sizeOf(shape));
  new Random(seed, `test/${name}`).fillUniform(data, low, high, a);
  return ndarray('float32', shape, data);
}

const batchNormRanges: Readonly<Record<string, readonly [number, number]>> = {
  weight: [0.5, 1.5],
  bias: [-0.2, 0.2],
  running_mean: [-0.1, 0.1],
  running_var: [0.5, 1.5],
};

/**
 * Sets every weight and bias of convolutions and linear layers to [−b, b), b = √(gain / fan_in of the layer's weight),
 * and those and the running statistics of BatchNorm to ranges around 1 and 0.
 */
export function drawWeights(state: State, seed: number, gain: number): void {
  const names = new Set(state.names);
  for (const name of names) {
    const dot = name.lastIndexOf('.');
    const [layer, key] = [name.slice(0, dot), name.slice(dot + 1)];
    if (key === 'num_batches_tracked') continue;
    const bound = Math.sqrt(gain / sizeOf(state.get(`${layer}.weight`).shape.slice(1)));
    const [low, high] = names.has(`${layer}.running_mean`) ? batchNormRanges[key]! : [-bound, bound];
    state.set(name, draw(seed, name, state.get(name).shape, low, high));
  }
}
