/**
 * The graph of a training step or of an evaluation: nodes in execution order, inputs, state (parameters, buffers, optimizer
 * moments) and outputs, and the tape from which `gradients` builds the backward pass as more nodes.
 */
import { createHash } from 'node:crypto';
import { ndarray, type DType, type NdArray } from '../formats/ndarray';
import { formatShape, sameShape } from './shape';
import type { StepContext } from './step_context';

/** The value of a node's attribute: an integer, a list of integers, a string, or `{ float }`. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

/** A symbolic tensor: the name, element type and shape of a value that exists once its graph runs. */
export interface Tensor {
  /** Unique within its graph. */
  readonly name: string;
  readonly dtype: DType;
  /** Lengths of the axes, all known; [] is a scalar. */
  readonly shape: readonly number[];
  /** The graph that it belongs to. Operators take tensors of one graph only. */
  readonly graph: Graph;
}

/** One call of an ONNX operator. */
export interface Node {
  /** The scopes it was emitted in and its operator: `grad/conv1/Conv#7/Gather#30`. */
  readonly name: string;
  /** The operator's name in its domain: `Conv`. */
  readonly opType: string;
  /** '' is ONNX's own domain. */
  readonly domain: string;
  /** An omitted optional input is undefined. */
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A value that lives from step to step: each step reads it as an input and may return its next value. */
export interface StateTensor {
  readonly tensor: Tensor;
  /** True for a parameter that the optimizer trains; false for running statistics, moments and counters. */
  readonly trainable: boolean;
  /** Its value before the first step. */
  readonly initial: () => NdArray;
}

/** The value of a host input at a step. */
export type HostValue = (context: StepContext) => NdArray;

/** One differentiable operation: its output, its inputs and its vector-Jacobian product. */
export interface TapeEntry {
  readonly output: Tensor;
  readonly inputs: readonly Tensor[];
  /**
   * Emits the gradients with respect to `inputs` from `grad`, the gradient with respect to `output`. `needs[i]` says whether
   * that of input i is wanted; the others may be undefined.
   */
  readonly backward: (grad: Tensor, needs: readonly boolean[]) => readonly (Tensor | undefined)[];
}

/** What `emit` takes besides inputs and shape. */
export interface EmitOptions {
  /** Element type of the output; by default that of the first input. */
  readonly dtype?: DType;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Domain of the operator; ONNX's own by default. */
  readonly domain?: string;
}

/**
 * A graph under construction. Operators (`engine/ops`) append nodes to it, `gradients` and `minimize` append the backward
 * pass and the update, and `Session` compiles and runs it.
 *
 *     const graph = new Graph();
 *     const x = graph.input('x', 'float32', [8, 4]);
 *     const w = graph.parameter('w', [4, 1], () => ndarray('float32', [4, 1]));
 *     const loss = mean(square(matmul(x, w)));
 *     minimize(loss, sgd());
 *     graph.output('loss', loss);
 */
export class Graph {
  /** In an order in which they can run. */
  readonly nodes: Node[] = [];
  /** What has to be fed at every step, by name; host inputs included, states not. */
  readonly inputs = new Map<string, Tensor>();
  /** What a step returns, by name. */
  readonly outputs = new Map<string, Tensor>();
  readonly constants = new Map<Tensor, NdArray>();
  /** Parameters and buffers by name, in the order of their declaration. */
  readonly states = new Map<string, StateTensor>();
  /** The value that a step leaves in a state, by the state's name; a state without an entry is only read. */
  readonly updates = new Map<string, Tensor>();
  /** Differentiable operations in the order in which they were built. */
  readonly tape: TapeEntry[] = [];
  /** Inputs whose values follow from the step: random draws, rates, weights that change with the epoch. */
  readonly hostValues = new Map<string, HostValue>();
  private readonly interned = new Map<string, Tensor>();
  private scopeName = '';
  private count = 0;

  /** A value that is fed at every step. Throws if the name is taken by another input. */
  input(name: string, dtype: DType, shape: readonly number[]): Tensor {
    if (this.inputs.has(name)) throw new Error(`input: "${name}" already exists`);
    const tensor = this.declare(name, dtype, shape);
    this.inputs.set(name, tensor);
    return tensor;
  }

  /** An input that the host computes for each step, by `valueAt`; `feeds` returns its value. */
  hostInput(name: string, dtype: DType, shape: readonly number[], valueAt: HostValue): Tensor {
    const tensor = this.input(name, dtype, shape);
    this.hostValues.set(name, valueAt);
    return tensor;
  }

  /** A float32 scalar that the host computes for each step; calls with the same name share one input. */
  hostScalar(name: string, valueAt: (context: StepContext) => number): Tensor {
    const known = this.inputs.get(name);
    return (
      known ??
      this.hostInput(name, 'float32', [], (context) => ndarray('float32', [], Float32Array.of(valueAt(context))))
    );
  }

  /** The values of all host inputs at a step, by name. */
  feeds(context: StepContext): Record<string, NdArray> {
    return Object.fromEntries([...this.hostValues].map(([name, valueAt]) => [name, valueAt(context)]));
  }

  /** A trainable float32 state, set to `initial()` before the first step. Throws if the name is taken by another state. */
  parameter(name: string, shape: readonly number[], initial: () => NdArray): Tensor {
    return this.state(name, 'float32', shape, true, initial);
  }

  /** A state that no optimizer trains: running statistics, moments, counters. Throws as `parameter` does. */
  buffer(name: string, dtype: DType, shape: readonly number[], initial: () => NdArray): Tensor {
    return this.state(name, dtype, shape, false, initial);
  }

  /** Has a step leave `next` in a state. Throws if `state` is none, or if shape or element type differ. */
  update(state: Tensor, next: Tensor): void {
    if (this.states.get(state.name)?.tensor !== state) throw new Error(`update: "${state.name}" is not a state`);
    if (!sameShape(state.shape, next.shape) || state.dtype !== next.dtype) {
      throw new Error(
        `update: "${state.name}" is ${state.dtype} ${formatShape(state.shape)}, ` +
          `got ${next.dtype} ${formatShape(next.shape)}`,
      );
    }
    this.updates.set(state.name, next);
  }

  /** The value of a state after all updates so far: its next value, or the state itself. */
  current(state: Tensor): Tensor {
    return this.updates.get(state.name) ?? state;
  }

  /** Returns `tensor` from every step under this name. */
  output(name: string, tensor: Tensor): void {
    this.outputs.set(name, tensor);
  }

  /** A constant of the graph; equal arrays share one tensor. */
  constant(array: NdArray): Tensor {
    const key = contentOf(array);
    const known = this.interned.get(key);
    if (known) return known;
    const tensor = this.declare(this.freshName('constant'), array.dtype, array.shape);
    this.constants.set(tensor, array);
    this.interned.set(key, tensor);
    return tensor;
  }

  /** A float32 constant of zeros. */
  zeros(shape: readonly number[]): Tensor {
    const key = `zeros ${shape.join()}`;
    const tensor = this.interned.get(key) ?? this.constant(ndarray('float32', shape));
    this.interned.set(key, tensor);
    return tensor;
  }

  /** A float32 constant of shape []. */
  scalar(value: number): Tensor {
    return this.constant(ndarray('float32', [], Float32Array.of(value)));
  }

  /** An int64 constant vector, as ONNX takes axes, shapes and indices. */
  integers(values: readonly number[]): Tensor {
    return this.constant(ndarray('int64', [values.length], BigInt64Array.from(values, BigInt)));
  }

  /** Appends a node with one output of the given shape, without an entry on the tape: no gradient flows through it. */
  emit(
    opType: string,
    inputs: readonly (Tensor | undefined)[],
    shape: readonly number[],
    options: EmitOptions = {},
  ): Tensor {
    const dtype = options.dtype ?? inputs[0]?.dtype ?? 'float32';
    return this.emitMany(opType, inputs, [{ dtype, shape }], options)[0]!;
  }

  /** Appends a node with several outputs, `results` in their order, without an entry on the tape. */
  emitMany(
    opType: string,
    inputs: readonly (Tensor | undefined)[],
    results: readonly Pick<Tensor, 'dtype' | 'shape'>[],
    options: Omit<EmitOptions, 'dtype'> = {},
  ): Tensor[] {
    const name = this.freshName(opType);
    const outputs = results.map(({ dtype, shape }, i) => this.declare(i === 0 ? name : `${name}:${i}`, dtype, shape));
    const { attributes = {}, domain = '' } = options;
    this.nodes.push({ name, opType, domain, inputs, outputs, attributes });
    return outputs;
  }

  /** Puts an operation with its vector-Jacobian product on the tape, so that gradients flow through it; returns `output`. */
  vjp(output: Tensor, inputs: readonly Tensor[], backward: TapeEntry['backward']): Tensor {
    this.tape.push({ output, inputs, backward });
    return output;
  }

  /** Runs `build` with `name/` before the names of the nodes that it emits, so that profiles can be read by layer. */
  scope<T>(name: string, build: () => T): T {
    return this.inScope(`${this.scopeName}${name}/`, build);
  }

  /** Runs `build` outside of all scopes that it is called in. */
  unscoped<T>(build: () => T): T {
    return this.inScope('', build);
  }

  private inScope<T>(name: string, build: () => T): T {
    const outer = this.scopeName;
    this.scopeName = name;
    try {
      return build();
    } finally {
      this.scopeName = outer;
    }
  }

  private state(
    name: string,
    dtype: DType,
    shape: readonly number[],
    trainable: boolean,
    initial: () => NdArray,
  ): Tensor {
    if (this.states.has(name)) throw new Error(`state: "${name}" already exists`);
    const tensor = this.declare(name, dtype, shape);
    this.states.set(name, { tensor, trainable, initial });
    return tensor;
  }

  private declare(name: string, dtype: DType, shape: readonly number[]): Tensor {
    if (!shape.every((length) => Number.isInteger(length) && length >= 0)) {
      throw new Error(`${name}: a shape must be a list of integers from 0, got ${formatShape(shape)}`);
    }
    return { name, dtype, shape, graph: this };
  }

  private freshName(hint: string): string {
    return `${this.scopeName}${hint}#${this.count++}`;
  }
}

/** A key that only equal arrays share: type, shape and bytes, or the hash of these if they are many. */
function contentOf({ dtype, shape, data }: NdArray): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const content = bytes.length <= 128 ? bytes.toString('latin1') : createHash('sha256').update(bytes).digest('base64');
  return `${dtype} ${shape.join()} ${content}`;
}
