/** Initial values of parameters. Each depends only on (seed, name of the parameter), whatever else is built. */
import { ndarray, sizeOf, type NdArray } from '../formats/ndarray';
import { Random } from '../utils/random';

/** Draws the float32 values of the parameter `name`; the same arguments always give the same values. */
export type Initializer = (name: string, shape: readonly number[], seed: number) => NdArray;

/** U(−bound, bound). PyTorch's default for convolutions and linear layers, weights and biases: bound = 1/√fan_in. */
export function uniform(bound: number): Initializer {
  return (name, shape, seed) => {
    const data = new Float32Array(sizeOf(shape));
    new Random(seed, `init/${name}`).fillUniform(data, -bound, bound);
    return ndarray('float32', shape, data);
  };
}

/** N(0, std²). He et al. (2015) for layers before a ReLU: std = √(2 / fan_in). */
export function normal(std: number): Initializer {
  return (name, shape, seed) => {
    const data = new Float32Array(sizeOf(shape));
    new Random(seed, `init/${name}`).fillNormal(data, 0, std);
    return ndarray('float32', shape, data);
  };
}

/** One value everywhere. */
export function constant(value: number): Initializer {
  return (_, shape) => ndarray('float32', shape, new Float32Array(sizeOf(shape)).fill(value));
}

/** The number of inputs that each output of a weight (out, in, …) sums over. */
export function fanIn(shape: readonly number[]): number {
  return sizeOf(shape.slice(1));
}
