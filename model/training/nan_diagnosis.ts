/** Diagnoses a step that is not finite: the magnitude of each layer, and the first operator with a NaN or infinity. */
import { getBorderCharacters, table } from 'table';
import { extremesOf, type Extremes } from '../../engine/analysis/extremes';
import { placeOf } from '../../engine/analysis/profile';
import type { Graph, Node } from '../../engine/graph';
import { OPTIMIZER_PREFIX } from '../../engine/optimizers/index';
import type { Tensor } from '../../engine/tensor';
import type { NamedArrays } from '../../formats/ndarray';
import type { Inspection } from './trainer';

/** Maximum layers in a table. */
const MOST_LAYERS = 24;

/** The output of each layer of a graph: in the forward pass its last value per image, or else its last value. */
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

/** The outputs of all nodes of a graph. */
export function allOutputs(graph: Graph): Tensor[] {
  return graph.nodes.flatMap(({ outputs }) => outputs);
}

/**
 * A table of the largest weight and the largest activation of each layer, in order; only the largest layers if there
 * are many. Activations require an inspection.
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
 * The first operator whose inputs are finite but whose outputs are not, in a graph whose outputs were all observed; or
 * the input or state that was not finite to begin with.
 */
export function firstNonFinite({ graph, extremes }: Inspection): string {
  const isSound = (x: Tensor) => (extremes.get(x)?.nonFinite ?? 0) === 0;
  const fed = [...graph.inputs, ...[...graph.states].map(([name, { tensor }]) => [name, tensor] as const)];
  const given = fed.find(([, tensor]) => !isSound(tensor));
  if (given) return `"${given[0]}", an input of the step, has ${share(extremes.get(given[1])!)} that are not finite`;
  const node = graph.nodes.find(
    ({ inputs, outputs }) => !outputs.every(isSound) && inputs.every((x) => x === undefined || isSound(x)),
  );
  if (!node) return 'all operators gave finite values in the inspection';
  const made = extremes.get(node.outputs.find((x) => !isSound(x))!)!;
  const inputs = inputsOf(node, extremes);
  return `${node.opType} ${whereabouts(node)} gave ${share(made)} that are not finite; its inputs: ${inputs}`;
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

/** The magnitude of values; Infinity if any is not finite. */
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
