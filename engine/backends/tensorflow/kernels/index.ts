/** Every operator that graphs are made of, by ONNX's name for it. */
import { convKernels } from './conv';
import { elementwiseKernels } from './elementwise';
import type { Kernels } from './kernel';
import { matmulKernels } from './matmul';
import { normalizationKernels } from './normalization';
import { reduceKernels } from './reduce';
import { shapeKernels } from './shape';

export { type Call, type Kernel } from './kernel';

export const kernels: Kernels = {
  ...elementwiseKernels,
  ...reduceKernels,
  ...shapeKernels,
  ...matmulKernels,
  ...convKernels,
  ...normalizationKernels,
};
