/** Operators of ONNX that move values. */
import { ndarray } from '../../../../formats/ndarray';
import * as ops from '../../../ops/index';
import { broadcastShape, type Tensor } from '../../../tensor';
import type { Call, Value } from '../call';
import { axesOf, cutsOf, fromStart, resolvedShape, shapeLiteral, splitSizes, squeezed, unsqueezed } from '../moves';
import type { Operators } from './operator';
import { resize } from './resize';

/** By their names in ONNX. */
export const shapeOperators: Operators = {
  Shape: (call) => ({ known: shapeLiteral(call.shape(0), call.node) }),
  Size: (call) => ({
    known: { kind: 'int', shape: [], data: Float64Array.of(call.shape(0).reduce((a, b) => a * b, 1)) },
  }),
  Reshape: (call) =>
    call.reshape(
      call.tensor(0),
      resolvedShape(call.shape(0), call.numbers(1) ?? call.integers('shape') ?? [], call.node),
    ),
  Flatten: (call) => {
    const x = call.tensor(0);
    const axis = x.shape.length === 0 ? 0 : fromStart(call.integer('axis', 1), x.shape.length);
    const size = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
    return call.reshape(x, [size(x.shape.slice(0, axis)), size(x.shape.slice(axis))]);
  },
  Squeeze: (call) => call.reshape(call.tensor(0), squeezed(call.shape(0), axesOf(call.node, call.known(1)))),
  Unsqueeze: (call) =>
    call.reshape(
      call.tensor(0),
      unsqueezed(call.shape(0), axesOf(call.node, call.known(1)) ?? call.fail('has no known axes')),
    ),
  Transpose: (call) => {
    const x = call.tensor(0);
    return ops.transpose(x, call.integers('perm') ?? x.shape.map((_, axis) => x.shape.length - 1 - axis));
  },
  Concat: (call) => concat(call),
  Split: (call) => split(call),
  Slice: (call) => slice(call),
  Gather: (call) => gather(call),
  GatherND: (call) => gatherTuples(call),
  Expand: (call) => call.expand(broadcastShape('Expand', call.shape(0), call.numbers(1)!)),
  Tile: (call) => ops.tile(call.tensor(0), call.numbers(1)!),
  Pad: (call) => pad(call),
  DepthToSpace: (call) =>
    ops.depthToSpace(call.tensor(0), call.integer('blocksize', 1), call.text('mode', 'DCR') === 'CRD' ? 'CRD' : 'DCR'),
  SpaceToDepth: (call) => ops.spaceToDepth(call.tensor(0), call.integer('blocksize', 1)),
  Resize: resize,
  Upsample: resize,
};

/** Constants and parameters made for one image stand beside as many images as there are. */
function concat(call: Call): Tensor {
  const parts = call.inputs.map((_, i) => call.tensor(i));
  const axis = call.axis(parts[0]!.shape.length, 0);
  const batch = Math.max(...parts.map(({ shape }) => shape[0]!));
  const whole = parts.map((part) =>
    axis > 0 && part.shape[0] === 1 && batch > 1 ? ops.expand(part, [batch, ...part.shape.slice(1)]) : part,
  );
  return ops.concat(whole, axis);
}

function split(call: Call): Tensor[] {
  const x = call.tensor(0);
  const axis = call.axis(x.shape.length, 0);
  if (call.has(1)) call.numbers(1);
  let start = 0;
  return splitSizes(x.shape[axis]!, call.known(1), call.node).map((size) => {
    start += size;
    return size === x.shape[axis] ? x : ops.slice(x, axis, start - size, start);
  });
}

function slice(call: Call): Tensor {
  const lists = call.inputs.map((_, i) => (i === 0 ? undefined : call.numbers(i)));
  return cutsOf(call.shape(0), lists, call.node).reduce(
    (x, { axis, places }) => taken(x, axis, places),
    call.tensor(0),
  );
}

/** Places of an axis at equal distances, by a slice where they go forward. */
function taken(x: Tensor, axis: number, places: readonly number[]): Tensor {
  const [first = 0, second = first + 1] = places;
  if (places.length === x.shape[axis] && second > first) return x;
  if (second > first)
    return ops.slice(x, axis, first, places.length === 0 ? first : places.at(-1)! + 1, second - first);
  return ops.gather(x, axis, ndarray('int64', [places.length], BigInt64Array.from(places, BigInt)));
}

function gather(call: Call): Tensor {
  const x = call.tensor(0);
  const axis = call.axis(x.shape.length, 0);
  const places = call.numbers(1)!.map((place) => fromStart(place, x.shape[axis]!));
  const shape = call.shape(1);
  if (shape.length === 0) {
    const row = ops.slice(x, axis, places[0]!, places[0]! + 1);
    return call.reshape(
      row,
      x.shape.filter((_, i) => i !== axis),
    );
  }
  // All places in their order, as exporters write as_strided.
  if (x.shape.length === 1 && places.length === x.shape[0] && places.every((place, i) => place === i)) {
    return call.reshape(x, shape);
  }
  return ops.gather(x, axis, ndarray('int64', shape, BigInt64Array.from(places, BigInt)));
}

/** What stands at tuples of indices into the first axes: one index into these axes as one. */
function gatherTuples(call: Call): Tensor {
  const x = call.tensor(0);
  const [indices, shape] = [call.numbers(1)!, call.shape(1)];
  if (call.integer('batch_dims', 0) !== 0) call.fail('has batch_dims');
  const depth = shape.at(-1)!;
  const [first, rest] = [x.shape.slice(0, depth), x.shape.slice(depth)];
  const places = Array.from({ length: indices.length / depth }, (_, row) =>
    first.reduce((place, length, i) => place * length + fromStart(indices[row * depth + i]!, length), 0),
  );
  const flat = ops.reshape(x, [first.reduce((a, b) => a * b, 1), ...rest]);
  return ops.gather(flat, 0, ndarray('int64', shape.slice(0, -1), BigInt64Array.from(places, BigInt)));
}

function pad(call: Call): Value {
  const x = call.tensor(0);
  const rank = x.shape.length;
  const mode = call.text('mode', 'constant');
  const amounts = call.numbers(1) ?? call.integers('pads') ?? call.fail('has no pads');
  const axes = call.numbers(3)?.map((axis) => fromStart(axis, rank)) ?? x.shape.map((_, axis) => axis);
  const value = call.has(2) ? (call.scalar(2) ?? call.fail('has a filling that is not known')) : call.float('value', 0);
  return axes.reduce((y, axis, i) => {
    const [before, after] = [amounts[i]!, amounts[i + axes.length]!];
    const length = y.shape[axis]!;
    const kept = before < 0 || after < 0 ? ops.slice(y, axis, Math.max(0, -before), length + Math.min(0, after)) : y;
    if (before <= 0 && after <= 0) return kept;
    const [front, back] = [Math.max(0, before), Math.max(0, after)];
    if (mode === 'constant') return ops.pad(kept, axis, front, back, value);
    return mode === 'reflect' || mode === 'edge'
      ? ops.padEdges(kept, axis, front, back, mode)
      : call.fail(`has the mode ${mode}`);
  }, x);
}
