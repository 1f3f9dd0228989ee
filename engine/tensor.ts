/** Tensors and their shapes. `Tensor` is declared next to `Graph`, since each refers to the other. */
export type { Tensor } from './graph';
export { broadcastShape, formatShape, sameShape } from './shape';
