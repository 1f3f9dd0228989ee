/** The kernels of all operators that graphs are made of. */
import { convKernels } from './conv';
import { elementwiseKernels } from './elementwise';
import type { Kernels } from './kernel';
import { matmulKernels } from './matmul';
import { normalizationKernels } from './normalization';
import { reduceKernels } from './reduce';
import { shapeKernels } from './shape';

export { type Call, type Kernel } from './kernel';

/** By ONNX's name of the operator, after its domain and a dot if that is not ONNX's own. */
export const kernels: Kernels = {
  ...elementwiseKernels,
  ...reduceKernels,
  ...shapeKernels,
  ...matmulKernels,
  ...convKernels,
  ...normalizationKernels,
};
