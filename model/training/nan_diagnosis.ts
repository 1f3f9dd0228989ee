/** Where a step that is not finite comes from, in words: how large each layer is, and which operator was the first. */
import { getBorderCharacters, table } from 'table';
import { extremesOf, type Extremes } from '../../engine/analysis/extremes';
import type { Graph, Node } from '../../engine/graph';
import { OPTIMIZER_PREFIX } from '../../engine/optimizers/index';
import { placeOf } from '../../engine/analysis/profile';
import type { Tensor } from '../../engine/tensor';
import type { NamedArrays } from '../../formats/ndarray';
import type { Inspection } from './trainer';

/** Layers that a table has at most. */
const MOST_LAYERS = 24;

/** What each layer of a graph hands on: in the forward pass the last that it makes for each image, or else the last. */
export function layerOutputs(graph: Graph): Tensor[] {
  const batchSize = graph.inputs.get('images')?.shape[0];
  const isOfImages = ({ shape }: Tensor) => shape.length > 1 && shape[0] === batchSize;
  const outputs = new Map<string, Tensor>();
  for (const { name, outputs: made } of graph.nodes) {
    const { layer, pass } = placeOf(name);
    const [output] = made;
    if (pass !== 'forward' || layer.startsWith('(') || output?.dtype !== 'float32') continue;
    const before = outputs.get(layer);
    if (!before || isOfImages(output) || !isOfImages(before)) outputs.set(layer, output);
  }
  return [...outputs.values()];
}

/** What every node of a graph makes. */
export function allOutputs(graph: Graph): Tensor[] {
  return graph.nodes.flatMap(({ outputs }) => outputs);
}

/**
 * A table of the largest weight and the largest activation of each layer, in their order: of the largest layers where
 * there are many. Activations are left out without an inspection.
 */
export function layerTable(weights: NamedArrays, inspection?: Inspection): string {
  const layers = new Map<string, { weight?: Extremes; activation?: Extremes }>();
  for (const [name, array] of weights) {
    const layer = name.replace(/\.[^.]*$/, '');
    if (name.startsWith(OPTIMIZER_PREFIX) || array.dtype !== 'float32' || !/\.(weight|bias)$/.test(name)) continue;
    layers.set(layer, { weight: larger(extremesOf(array), layers.get(layer)?.weight) });
  }
  for (const tensor of inspection ? layerOutputs(inspection.graph) : []) {
    const { layer } = placeOf(tensor.name);
    layers.set(layer, { ...layers.get(layer), activation: inspection!.extremes.get(tensor)! });
  }
  const reach = ({ weight, activation }: { weight?: Extremes; activation?: Extremes }) =>
    Math.max(weight ? rank(weight) : 0, activation ? rank(activation) : 0);
  const sorted = [...layers].map(([layer, extremes]) => [layer, reach(extremes)] as const);
  sorted.sort(([, one], [, other]) => (one === other ? 0 : one > other ? -1 : 1));
  const largest = new Set(sorted.slice(0, MOST_LAYERS).map(([layer]) => layer));
  const rows = [...layers]
    .filter(([layer]) => largest.has(layer))
    .map(([layer, { weight, activation }]) => [layer, shown(weight), ...(inspection ? [shown(activation)] : [])]);
  const head = ['layer', 'largest weight', ...(inspection ? ['largest activation'] : [])];
  const drawn = table([head, ...rows], { border: getBorderCharacters('void'), drawHorizontalLine: () => false });
  return drawn.replace(/ +$/gm, '').trimEnd();
}

/**
 * The first operator that made values that are not finite of values that are, in the order of a graph whose every output
 * was observed; or the input or state that had such values to begin with.
 */
export function firstNonFinite({ graph, extremes }: Inspection): string {
  const isSound = (x: Tensor) => (extremes.get(x)?.nonFinite ?? 0) === 0;
  const fed = [...graph.inputs, ...[...graph.states].map(([name, { tensor }]) => [name, tensor] as const)];
  const given = fed.find(([, tensor]) => !isSound(tensor));
  if (given) return `"${given[0]}", which the step is given, has ${share(extremes.get(given[1])!)} that are not finite`;
  const node = graph.nodes.find(
    ({ inputs, outputs }) => !outputs.every(isSound) && inputs.every((x) => x === undefined || isSound(x)),
  );
  if (!node) return 'every operator made finite values when it was looked at';
  const made = extremes.get(node.outputs.find((x) => !isSound(x))!)!;
  const inputs = inputsOf(node, extremes);
  return `${node.opType} ${whereabouts(node)} made ${share(made)} that are not finite; its inputs: ${inputs}`;
}

function whereabouts({ name }: Node): string {
  const { layer, pass } = placeOf(name);
  const part = { forward: 'in', backward: 'in the gradient of', update: 'in the update of' }[pass ?? 'forward'];
  return layer.startsWith('(') ? `(node ${name})` : `${part} layer "${layer}" (node ${name})`;
}

function inputsOf({ inputs }: Node, extremes: ReadonlyMap<Tensor, Extremes>): string {
  const parts = inputs.flatMap((x) => {
    const found = x && extremes.get(x);
    return found && x.dtype === 'float32' ? [`${x.name} from ${number(found.low)} to ${number(found.high)}`] : [];
  });
  return parts.join(', ');
}

/** How far values reach; those that are not finite reach farthest. */
function rank({ low, high, nonFinite }: Extremes): number {
  return nonFinite > 0 ? Infinity : Math.max(-low, high);
}

function larger(a: Extremes, b: Extremes | undefined): Extremes {
  return b === undefined || rank(a) > rank(b) ? a : b;
}

function shown(extremes: Extremes | undefined): string {
  if (!extremes) return '';
  return extremes.nonFinite > 0 ? `not finite: ${share(extremes)}` : number(rank(extremes));
}

function share({ nonFinite, size }: Extremes): string {
  return `${nonFinite} of ${size} values`;
}

function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}
