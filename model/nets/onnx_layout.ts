/** Which values inside a network from an ONNX file are maps of its images, and where their channels are. */
import type { Inside, Layout, NetworkInside } from './onnx_inside';

/** Operators whose 4 axes are N, C, H, W by their definition. */
const CHANNELS_FIRST = new Set(
  (
    'Conv ConvTranspose QLinearConv MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool BatchNormalization ' +
    'InstanceNormalization GroupNormalization LRN Resize Upsample DepthToSpace SpaceToDepth'
  ).split(' '),
);
/** Operators behind which the axes are others, or the map is not whole. */
const OTHER_AXES = new Set(
  'Reshape Flatten Squeeze Unsqueeze Expand Gather Slice Split Softmax LogSoftmax Einsum Attention'.split(' '),
);
const PRODUCTS = new Set(['MatMul', 'Gemm']);
const [TO_LAST, TO_FIRST] = ['0,2,3,1', '0,3,1,2'];

/**
 * The layout of each value that is a map of the images; what attention computes, of four axes too, is none. Convolutions
 * and pools say where channels are, and what works on single elements keeps them there.
 */
export function layoutsOf({ values, images }: NetworkInside): ReadonlyMap<string, Layout> {
  const layouts = new Map<string, Layout>(images.layout && [[images.name, images.layout]]);
  for (const [name, value] of values) {
    const layout = value.shape.length === 4 ? layoutOf(value, values, layouts) : undefined;
    if (layout) layouts.set(name, layout);
  }
  return layouts;
}

function layoutOf(
  { node }: Inside,
  values: NetworkInside['values'],
  layouts: ReadonlyMap<string, Layout>,
): Layout | undefined {
  const { opType, inputs, perm } = node;
  if (CHANNELS_FIRST.has(opType)) return 'NCHW';
  if (OTHER_AXES.has(opType)) return undefined;
  const first = layouts.get(inputs[0] ?? '');
  if (opType === 'Transpose') {
    const order = perm?.join();
    if (first === 'NCHW' && order === TO_LAST) return 'NHWC';
    return first === 'NHWC' && order === TO_FIRST ? 'NCHW' : undefined;
  }
  if (PRODUCTS.has(opType)) return first === 'NHWC' && !values.has(inputs[1] ?? '') ? 'NHWC' : undefined;
  const found = new Set(inputs.flatMap((name) => layouts.get(name) ?? []));
  return found.size === 1 ? [...found][0] : undefined;
}
