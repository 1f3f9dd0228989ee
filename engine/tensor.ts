/** Tensors and their shapes. `Tensor` is declared beside `Graph`, as each refers to the other. */
export type { Tensor } from './graph';
export { broadcastShape, formatShape, sameShape } from './shape';
