/** Resize: nearest, linear and cubic interpolation of maps, each a linear map along the rows and one along the columns. */
import { ndarray, type NdArray } from '../../../../formats/ndarray';
import * as ops from '../../../ops/index';
import type { Tensor } from '../../../tensor';
import type { Call } from '../call';
import { fromStart } from '../moves';

/** Resize, and Upsample of older versions. */
export function resize(call: Call): Tensor {
  const x = call.tensor(0);
  const rank = x.shape.length;
  const isUpsample = call.node.opType === 'Upsample';
  const axes = (call.integers('axes') ?? x.shape.map((_, axis) => axis)).map((axis) => fromStart(axis, rank));
  const given = (i: number) => (call.has(i) ? call.numbers(i) : undefined);
  const scales =
    (isUpsample ? (given(1) ?? call.integers('scales')) : call.around.opset < 11 ? given(1) : given(2)) ?? [];
  const sizes = isUpsample || call.around.opset < 11 ? undefined : given(3);
  if (call.integer('antialias', 0) === 1 || call.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch') {
    call.fail('resizes with antialiasing or keeps the aspect ratio');
  }
  return axes.reduce((y, axis, i) => {
    const length = x.shape[axis]!;
    const size = sizes ? sizes[i]! : Math.floor(length * (scales[i] ?? 1));
    if (size === length) return y;
    if (axis < rank - 2) call.fail('resizes other axes than the last two');
    return along(call, y, axis, size, sizes ? size / length : scales[i]!);
  }, x);
}

/** Maps (N, C, H, W) at another size, bilinearly between pixel centers without antialiasing, as PyTorch's interpolate does. */
export function resized(x: Tensor, [height, width]: readonly [number, number]): Tensor {
  return [height, width].reduce((y, size, i) => {
    const axis = 2 + i;
    const length = x.shape[axis]!;
    const place = (k: number) => ((k + 0.5) * length) / size - 0.5;
    return size === length ? y : ops.resample(y, axis, matrix(length, size, place, linear, false));
  }, x);
}

function along(call: Call, x: Tensor, axis: number, size: number, scale: number): Tensor {
  const length = x.shape[axis]!;
  const mode = call.text('mode', 'nearest');
  const place = placeOf(call, length, size, scale);
  if (mode === 'nearest') {
    const round = rounding[call.text('nearest_mode', 'round_prefer_floor')] ?? call.fail('has an unknown nearest_mode');
    const places = Array.from({ length: size }, (_, i) => BigInt(Math.min(length - 1, Math.max(0, round(place(i))))));
    return ops.gather(x, axis, ndarray('int64', [size], BigInt64Array.from(places)));
  }
  const taps =
    mode === 'linear'
      ? linear
      : mode === 'cubic'
        ? cubic(call.float('cubic_coeff_a', -0.75))
        : call.fail(`has the mode ${mode}`);
  return ops.resample(x, axis, matrix(length, size, place, taps, call.integer('exclude_outside', 0) === 1));
}

const rounding: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Where an element of the result lies among those of the input. */
function placeOf(call: Call, length: number, size: number, scale: number): (i: number) => number {
  const isOld = call.node.opType === 'Upsample' || call.around.opset < 11;
  const mode = call.text('coordinate_transformation_mode', isOld ? 'asymmetric' : 'half_pixel');
  switch (mode) {
    case 'half_pixel':
      return (i) => (i + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return (i) => (size > 1 ? (i + 0.5) / scale - 0.5 : 0);
    case 'half_pixel_symmetric': {
      const adjusted = size / (length * scale);
      const offset = (length / 2) * (1 - adjusted);
      return (i) => offset + (i + 0.5) / scale - 0.5;
    }
    case 'align_corners':
      return (i) => (size > 1 ? (i * (length - 1)) / (size - 1) : 0);
    case 'asymmetric':
      return (i) => i / scale;
    default:
      return call.fail(`has the coordinates ${mode}`);
  }
}

/** Weights of the elements around a fraction: from which on, and how much each counts. */
type Taps = (fraction: number) => { readonly first: number; readonly weights: readonly number[] };

const linear: Taps = (fraction) => ({ first: 0, weights: [1 - fraction, fraction] });

/** Keys 1981 */
function cubic(a: number): Taps {
  const near = (t: number) => ((a + 2) * t - (a + 3)) * t * t + 1;
  const far = (t: number) => ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return (f) => ({ first: -1, weights: [far(1 + f), near(f), near(1 - f), far(2 - f)] });
}

/** (size, length): what counts outside is the edge's, or shared among those inside. */
function matrix(
  length: number,
  size: number,
  place: (i: number) => number,
  taps: Taps,
  leavesOut: boolean,
): NdArray<'float32'> {
  const rows = ndarray('float32', [size, length]);
  for (let i = 0; i < size; i++) {
    const at = place(i);
    const floor = Math.floor(at);
    const { first, weights } = taps(at - floor);
    const counted = weights.map((weight, k) => {
      const source = floor + first + k;
      return { source, weight: leavesOut && (source < 0 || source >= length) ? 0 : weight };
    });
    const total = leavesOut ? counted.reduce((sum, { weight }) => sum + weight, 0) : 1;
    for (const { source, weight } of counted) {
      const column = Math.min(length - 1, Math.max(0, source));
      rows.data[i * length + column]! += weight / total;
    }
  }
  return rows;
}
