/** A graph that TensorFlow.js computes node by node; values that no later node reads are freed at once. */
import { setImmediate } from 'node:timers/promises';
import type { DType, NdArray } from '../../../formats/ndarray';
import type { Graph, Node } from '../../graph';
import type { Tensor as Symbol } from '../../tensor';
import type { CompileOptions, RunResult, Program, Results } from '../backend';
import { toDevice, toHost } from './arrays';
import { kernels, type Call, type Kernel } from './kernels';
import type { Tensor, Tf } from './package';
import { Value } from './value';

/** A state on the device. */
export interface DeviceArray {
  readonly tensor: Tensor;
  /** Its element type in the graph, as TensorFlow.js has none of 64 bits. */
  readonly dtype: DType;
}

/** One node to compute. */
interface Instruction {
  readonly node: Node;
  readonly kernel: Kernel;
  /** Tensors that no later instruction reads. */
  readonly done: readonly Symbol[];
}

/** A compiled graph: its nodes with their kernels. Throws in its constructor if an operator has no kernel. */
export class TensorflowProgram implements Program<DeviceArray> {
  private readonly instructions: readonly Instruction[];
  /** Constants and frozen states. */
  private readonly arrays: ReadonlyMap<Symbol, NdArray>;
  /** Those that were copied to the device; they stay there until the program is released. */
  private readonly constants = new Map<Symbol, Value>();

  constructor(
    private readonly tf: Tf,
    private readonly graph: Graph,
    { frozen }: CompileOptions,
  ) {
    this.instructions = instructionsOf(graph);
    const states = [...graph.states.values()].map(({ tensor }) => tensor);
    this.arrays = new Map([
      ...graph.constants,
      ...states.flatMap((state) => {
        const array = frozen?.get(state.name);
        return array ? [[state, array] as const] : [];
      }),
    ]);
  }

  async run(feeds: Readonly<Results>, states: ReadonlyMap<string, DeviceArray>): Promise<RunResult<DeviceArray>> {
    // What follows blocks the event loop; this lets signals and timers run first.
    await setImmediate();
    const { tf, graph } = this;
    const values = new Map<Symbol, Value>();
    const lent = new Map<Symbol, Tensor>();
    for (const [name, { tensor }] of states) {
      const symbol = graph.states.get(name)!.tensor;
      values.set(symbol, new Value(tf, tensor));
      lent.set(symbol, tensor);
    }
    const free = (symbol: Symbol) => {
      values.get(symbol)?.dispose(lent.get(symbol));
      values.delete(symbol);
    };
    try {
      for (const [name, symbol] of graph.inputs) values.set(symbol, new Value(tf, toDevice(tf, feeds[name]!)));
      for (const { node, kernel, done } of this.instructions) {
        const call = this.call(node, values);
        tf.tidy(() => {
          const made = kernel(call);
          values.set(node.outputs[0]!, made);
          return made.tensor;
        });
        for (const symbol of done) free(symbol);
      }
      const next = [...graph.updates].map(([name, symbol]) => {
        return [name, { tensor: this.value(symbol, values).plain.clone(), dtype: symbol.dtype }] as const;
      });
      const outputs = [...graph.outputs].map(async ([name, symbol]) => {
        return [name, await toHost(this.value(symbol, values).plain, symbol.dtype)] as const;
      });
      return { outputs: Object.fromEntries(await Promise.all(outputs)), states: new Map(next) };
    } finally {
      for (const symbol of [...values.keys()]) free(symbol);
    }
  }

  release(): Promise<void> {
    for (const value of this.constants.values()) value.dispose();
    this.constants.clear();
    return Promise.resolve();
  }

  private call(node: Node, values: ReadonlyMap<Symbol, Value>): Call {
    return {
      tf: this.tf,
      node,
      inputs: node.inputs.map((symbol) => symbol && this.value(symbol, values)),
      numbers: (index) => {
        const symbol = node.inputs[index];
        if (!symbol) return undefined;
        const array = this.arrays.get(symbol);
        if (!array) throw new Error(`tensorflow: ${node.name}: input ${index} of ${node.opType} must be a constant`);
        return Array.from(array.data, Number);
      },
    };
  }

  private value(symbol: Symbol, values: ReadonlyMap<Symbol, Value>): Value {
    const known = values.get(symbol) ?? this.constants.get(symbol);
    if (known) return known;
    const array = this.arrays.get(symbol);
    if (!array) throw new Error(`tensorflow: no node computes "${symbol.name}"`);
    const value = new Value(this.tf, this.tf.keep(toDevice(this.tf, array)));
    this.constants.set(symbol, value);
    return value;
  }
}

/** The nodes that outputs and new states depend on, in their order, with their kernels. */
function instructionsOf(graph: Graph): Instruction[] {
  const read = new Set<Symbol>([...graph.outputs.values(), ...graph.updates.values()]);
  const instructions: Instruction[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => read.has(output))) continue;
    const name = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
    const kernel = kernels[name];
    if (!kernel) throw new Error(`tensorflow: no kernel for the operator ${name}`);
    const inputs = new Set(node.inputs.filter((input) => input !== undefined));
    instructions.push({ node, kernel, done: [...inputs].filter((input) => !read.has(input)) });
    for (const input of inputs) read.add(input);
  }
  return instructions.reverse();
}
