/**
 * Transposed convolution of blocked tensors, for which ONNX Runtime has no blocked kernel: the operator of that name, and the
 * gradient of a strided convolution to its input.
 *   y[n, c, i, j] = Σ x[n, k, (i + p − r) / s, (j + p − t) / s] · w[k, c, r, t]   where s divides both numerators
 * The rows i = s·q + u of y read x only under the taps r that equal u + p modulo s, so they are an ordinary convolution of x by
 * these taps. It makes all columns j = s·q + v at once, with a feature for each pair (c, v): the more features, the busier the
 * processor's registers. What is left is to lay columns and rows side by side.
 */
import type { Node } from '../../graph';
import { emitConcat, emitReshape, emitSlice, emitTranspose } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import { blocksOfTaps } from './convolution';
import type { LayoutMap } from './layout_map';
import { blockedConv, fromBlocksToLast } from './operators';

/** The places of x, counted from q, that a row or column s·q + u of y reads. */
interface Reading {
  readonly first: number;
  /** The tap over each place, from the first on; undefined where there is none. */
  readonly taps: readonly (number | undefined)[];
}

/** How the rows or columns of y are made. */
interface Plan {
  readonly stride: number;
  /** The reading of each u. */
  readonly readings: readonly Reading[];
  /** How many there are of each u. */
  readonly count: number;
  /** For each u: zeros before the first and after the last of x. */
  readonly margins: readonly (readonly [number, number])[];
}

/** Whether a node is a transposed convolution that can be made of ordinary ones, on maps whose channels fill blocks. */
export function isTransposedConvolution(node: Node, block: number): boolean {
  const [channels = 1, features = 1] = [node.inputs[0]?.shape[1], node.outputs[0]!.shape[1]];
  return canBePhased(node) && node.attributes.group === 1 && channels % block === 0 && features % block === 0;
}

/** Whether ordinary convolutions with padding make a transposed one, phase by phase. */
export function canBePhased(node: Node): boolean {
  const [x, , bias] = node.inputs;
  if (node.opType !== 'ConvTranspose' || bias || x?.shape.length !== 4) return false;
  const { strides, dilations } = node.attributes as Record<string, readonly number[]>;
  if (Math.max(...strides!) === 1 || Math.max(...dilations!) > 1) return false;
  return [planOf(node, 0), planOf(node, 1)].every(({ margins }) => Math.min(...margins.flat()) >= 0);
}

/** The blocked form of the result of such a node. */
export function transposedConvolution(node: Node, layouts: LayoutMap): Tensor {
  const [x, weight] = node.inputs as [Tensor, Tensor];
  const [batch = 0, channels = 0, height = 0, width = 0] = node.outputs[0]!.shape;
  const [down, across] = [planOf(node, 0), withSamePlaces(planOf(node, 1))];
  const blocks = channels / layouts.block;
  const features = across.stride * layouts.block;
  const source = layouts.blockedMap(x);
  const { graph } = source;
  const turned = blocksOfTaps(weight, layouts);
  const [left, right] = across.margins[0]!;
  const places = across.readings[0]!.taps.length;

  const rows = down.readings.map(({ taps }, u) => {
    const shape = [batch, blocks, down.count, across.count * features];
    if (taps.length === 0) return graph.emit('Expand', [graph.scalar(0), graph.integers(shape)], shape);
    const chosen = across.readings.map((reading) =>
      taps.flatMap((r) => reading.taps.map((t) => (t === undefined ? undefined : r! * weight.shape[3]! + t))),
    );
    const kernel = emitReshape(kernelOf(turned, chosen), [blocks * features, x.shape[1]!, taps.length, places]);
    const [top, bottom] = down.margins[u]!;
    const map = blockedConv([source, kernel], [batch, blocks * features, down.count, across.count], {
      pads: [top, left, bottom, right],
      group: 1,
    });
    const pixels = down.count * across.count;
    return emitReshape(fromBlocksToLast(map, [batch * blocks, pixels, features], layouts.block), shape);
  });

  const [tall, wide] = [down.count * down.stride, across.count * across.stride];
  return cut(emitReshape(emitConcat(rows, 3), [batch, blocks, tall, wide, layouts.block]), height, width);
}

/** The first rows and columns of a blocked form. */
export function cut(form: Tensor, height: number, width: number): Tensor {
  const rows = form.shape[2]! > height ? emitSlice(form, 2, 0, height) : form;
  return form.shape[3]! > width ? emitSlice(rows, 3, 0, width) : rows;
}

/** For rows (axis 0) or columns (axis 1): y[s·q + u] reads x at q + ⌊(u + p) / s⌋ − m under the tap (u + p) mod s + s·m. */
export function planOf({ inputs, outputs, attributes }: Node, axis: 0 | 1): Plan {
  const of = (name: string) => (attributes[name] as readonly number[])[axis]!;
  const [stride, kernel, padding] = [of('strides'), of('kernel_shape'), of('pads')];
  const count = Math.ceil(outputs[0]!.shape[2 + axis]! / stride);
  const readings = Array.from({ length: stride }, (_, u) => {
    const taps: number[] = [];
    for (let tap = (u + padding) % stride; tap < kernel; tap += stride) taps.unshift(tap);
    return { first: Math.floor((u + padding) / stride) - taps.length + 1, taps };
  });
  const length = inputs[0]!.shape[2 + axis]!;
  const margins = readings.map(({ first, taps }): [number, number] =>
    taps.length === 0 ? [0, 0] : [-first, count - 1 + first + taps.length - length],
  );
  return { stride, readings, count, margins };
}

/** The same with readings of the same places, under which some have no tap. */
function withSamePlaces(plan: Plan): Plan {
  const used = plan.readings.filter(({ taps }) => taps.length > 0);
  const first = Math.min(...used.map((reading) => reading.first));
  const end = Math.max(...used.map((reading) => reading.first + reading.taps.length));
  const margins = [
    Math.max(...plan.margins.map(([before]) => before)),
    Math.max(...plan.margins.map(([, after]) => after)),
  ] as const;
  const readings = plan.readings.map((reading) => ({
    first,
    taps: Array.from({ length: end - first }, (_, i) => reading.taps[first + i - reading.first]),
  }));
  return { ...plan, readings, margins: readings.map(() => margins) };
}

/** From [C/b][K/b][taps][b of K][b of C] and the taps of each v: [C/b][v][K/b][chosen taps][b of K][b of C]. */
function kernelOf(turned: Tensor, chosen: readonly (readonly (number | undefined)[])[]): Tensor {
  const { graph } = turned;
  const [features = 0, channels = 0, taps = 0, block = 0] = turned.shape;
  const size = chosen[0]!.length;
  const withZeros = emitConcat([turned, graph.zeros([features, channels, 1, block, block])], 2);
  const order = graph.integers(chosen.flat().map((tap) => tap ?? taps));
  const picked = graph.emit('Gather', [withZeros, order], [features, channels, order.shape[0]!, block, block], {
    attributes: { axis: 2 },
  });
  return emitTranspose(emitReshape(picked, [features, channels, chosen.length, size * block * block]), [0, 2, 1, 3]);
}
