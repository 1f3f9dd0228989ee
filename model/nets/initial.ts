/**
 * Initial distributions of convolutions and linear layers before a ReLU (He et al. 2015), for networks that use them.
 */
import { fanIn, normal, type Initializer } from '../../engine/initializers';
import { sizeOf } from '../../formats/ndarray';
import { Layers } from './layers';
import type { Net } from './net';

/** N(0, 2 / fan_in): keeps the variance of the forward pass. */
export const heFanIn: Initializer = (name, shape, seed) => normal(Math.sqrt(2 / fanIn(shape)))(name, shape, seed);

/** N(0, 2 / (k² · out)) for weights (out, in, k, k): keeps the variance of the backward pass. */
export const heFanOut: Initializer = (name, shape, seed) =>
  normal(Math.sqrt(2 / (shape[0]! * sizeOf(shape.slice(2)))))(name, shape, seed);

/** A net whose convolutions start from `convInit`. */
export function initialized(convInit: Initializer, net: Net): Net {
  return ({ graph, options }, x, netOptions) => net(new Layers(graph, { ...options, convInit }), x, netOptions);
}
