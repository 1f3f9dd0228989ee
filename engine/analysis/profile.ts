/**
 * Where the time of a compiled graph goes, by operator and by layer, from the file that ONNX Runtime's profiler writes.
 *
 * The name of a node says which layer it belongs to: `conv1/Conv#7` is the forward pass of `conv1`,
 * `grad/conv1/Conv#7/Gather#30` the gradient of that node, `update/conv1.weight/Mul#9` the optimizer's step. Nodes outside of
 * layers, such as ReLUs, are listed under their operator in brackets: `(Relu)`.
 */
import { median } from '../../utils/median';

/** One call of an operator. */
interface Call {
  /** Name of the node. */
  readonly node: string;
  readonly operator: string;
  /** Milliseconds. */
  readonly ms: number;
}

/** One run of a graph: its total time and its calls. */
export interface Run {
  /** Milliseconds, including the time between calls. */
  readonly ms: number;
  readonly calls: readonly Call[];
}

/** Which part of a training step a node belongs to. */
type Pass = 'forward' | 'backward' | 'update';

/** The layer and the pass of a node; nodes that ONNX Runtime added have no pass. */
export interface Place {
  readonly layer: string;
  readonly pass?: Pass;
}

/** The time of all calls of an operator. */
export interface OperatorTime {
  readonly operator: string;
  /** Calls per run. */
  readonly calls: number;
  /** Milliseconds per run, the median over runs. */
  readonly ms: number;
}

/** The time of a layer in each pass and, as `ms`, in all: milliseconds per run, medians over runs. */
export interface LayerTime extends Readonly<Record<Pass, number>> {
  readonly layer: string;
  readonly ms: number;
}

interface Event {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

const KERNEL = '_kernel_time';
const ADDED: Place = { layer: '(added by ONNX Runtime)' };

/** The runs in a profile of ONNX Runtime (JSON), in their order. Throws a SyntaxError if it is not JSON. */
export function parseProfile(json: string): Run[] {
  const runs: Run[] = [];
  let calls: Call[] = [];
  for (const { cat, name, dur, args } of JSON.parse(json) as Event[]) {
    if (cat === 'Node' && name.endsWith(KERNEL)) {
      calls.push({ node: name.slice(0, -KERNEL.length), operator: args?.op_name ?? '', ms: dur / 1000 });
    } else if (name === 'model_run') {
      runs.push({ ms: dur / 1000, calls });
      calls = [];
    }
  }
  return runs;
}

/** The layer and the pass of a node, from its name. */
export function placeOf(node: string): Place {
  const [head = '', ...rest] = node.replace(/^fused /, '').split('/');
  if (head === 'output') return { layer: '(results)', pass: 'update' };
  const pass = head === 'grad' ? 'backward' : head === 'update' ? 'update' : 'forward';
  const path = pass === 'forward' ? [head, ...rest] : rest;
  const at = path.findIndex((part) => part.includes('#'));
  if (at < 0) return ADDED;
  const scope = path.slice(0, at).join('/');
  if (scope === '') return { layer: `(${path[at]!.split('#')[0]})`, pass };
  return { layer: pass === 'update' ? layerOf(scope) : scope, pass };
}

/** The layer of a parameter: `conv1` of `conv1.weight`. */
function layerOf(parameter: string): string {
  return parameter.replace(/\.[^.]*$/, '');
}

/** The time of each operator, the slowest first. */
export function byOperator(runs: readonly Run[]): OperatorTime[] {
  const found = medians(runs, (call) => call.operator);
  const counts = new Map<string, number>();
  for (const { operator } of runs.flatMap((run) => run.calls)) counts.set(operator, (counts.get(operator) ?? 0) + 1);
  const rows = [...found].map(([operator, ms]) => ({ operator, calls: counts.get(operator)! / runs.length, ms }));
  return rows.sort((a, b) => b.ms - a.ms);
}

/** The time of each layer, in the order in which the layers run. */
export function byLayer(runs: readonly Run[]): LayerTime[] {
  const all = medians(runs, ({ node }) => placeOf(node).layer);
  const of = (pass: Pass) =>
    medians(runs, ({ node }) => (placeOf(node).pass === pass ? placeOf(node).layer : undefined));
  const [forward, backward, update] = [of('forward'), of('backward'), of('update')];
  const inOrder = [...new Set([...forward.keys(), ...all.keys()])];
  return inOrder.map((layer) => ({
    layer,
    forward: forward.get(layer) ?? 0,
    backward: backward.get(layer) ?? 0,
    update: update.get(layer) ?? 0,
    ms: all.get(layer)!,
  }));
}

/** Milliseconds of a run, the median over runs. */
export function runTime(runs: readonly Run[]): number {
  return median(runs.map(({ ms }) => ms));
}

/** Milliseconds of all operators of a run together, the median over runs. */
export function operatorTime(runs: readonly Run[]): number {
  return median(runs.map(({ calls }) => calls.reduce((sum, call) => sum + call.ms, 0)));
}

/** For each key, the median over runs of the total time of its calls; calls without a key are left out. */
function medians(runs: readonly Run[], keyOf: (call: Call) => string | undefined): Map<string, number> {
  const sums = runs.map(({ calls }) => {
    const sum = new Map<string, number>();
    for (const call of calls) {
      const key = keyOf(call);
      if (key !== undefined) sum.set(key, (sum.get(key) ?? 0) + call.ms);
    }
    return sum;
  });
  const keys = new Set(sums.flatMap((sum) => [...sum.keys()]));
  return new Map([...keys].map((key) => [key, median(sums.map((sum) => sum.get(key) ?? 0))]));
}
