/**
 * A graph: nodes in the order of execution, fed inputs, state (parameters, buffers, optimizer moments), outputs,
 * and beside them the tape from which `gradients` derives the backward pass as more nodes.
 */
import { createHash } from 'node:crypto';
import { ndarray, type DType, type NdArray } from '../formats/ndarray';
import { formatShape, sameShape } from './shape';
import type { StepContext } from './step_context';

export type Attribute = number | readonly number[] | string | { readonly float: number };

/** A symbolic tensor: the shape, element type and name of a value that some node of a graph will make. */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly graph: Graph;
}

/** One ONNX operator call. A missing optional input is undefined. Plain numbers are integers; `{ float }` is a float. */
export interface Node {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A value that lives from step to step: fed as an input, handed back as an output. */
export interface StateTensor {
  readonly tensor: Tensor;
  /** Trained by the optimizer, or only carried along (running statistics, moments)? */
  readonly trainable: boolean;
  readonly initial: () => NdArray;
}

/** What an input is fed with at a moment of training. */
export type HostValue = (moment: StepContext) => NdArray;

/**
 * How a gradient with respect to `output` turns into gradients with respect to `inputs`.
 * `needs[i]` tells whether input i's gradient is wanted; what is not wanted may be left undefined.
 */
export interface TapeEntry {
  readonly output: Tensor;
  readonly inputs: readonly Tensor[];
  readonly backward: (grad: Tensor, needs: readonly boolean[]) => readonly (Tensor | undefined)[];
}

export interface EmitOptions {
  readonly dtype?: DType;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs = new Map<string, Tensor>();
  readonly outputs = new Map<string, Tensor>();
  readonly constants = new Map<Tensor, NdArray>();
  readonly states = new Map<string, StateTensor>();
  /** What a step leaves in a state; a state without an entry is only read. */
  readonly updates = new Map<string, Tensor>();
  readonly tape: TapeEntry[] = [];
  /** Inputs that are fed by rule: random draws, rates, weights that change with the epoch. */
  readonly hostValues = new Map<string, HostValue>();
  private readonly interned = new Map<string, Tensor>();
  private scopeName = '';
  private count = 0;

  /** A value that is fed at every step. */
  input(name: string, dtype: DType, shape: readonly number[]): Tensor {
    if (this.inputs.has(name)) throw new Error(`input: "${name}" is there already`);
    const tensor = this.declare(name, dtype, shape);
    this.inputs.set(name, tensor);
    return tensor;
  }

  /** An input whose value at a step follows from the moment alone; `feeds` gives it. */
  hostInput(name: string, dtype: DType, shape: readonly number[], rule: HostValue): Tensor {
    const tensor = this.input(name, dtype, shape);
    this.hostValues.set(name, rule);
    return tensor;
  }

  /** A scalar fed by rule; one that is there already is shared. */
  hostScalar(name: string, rule: (moment: StepContext) => number): Tensor {
    const known = this.inputs.get(name);
    return (
      known ?? this.hostInput(name, 'float32', [], (moment) => ndarray('float32', [], Float32Array.of(rule(moment))))
    );
  }

  /** The values of all inputs that are fed by rule. */
  feeds(moment: StepContext): Record<string, NdArray> {
    return Object.fromEntries([...this.hostValues].map(([name, rule]) => [name, rule(moment)]));
  }

  /** A trained parameter, float32. */
  parameter(name: string, shape: readonly number[], initial: () => NdArray): Tensor {
    return this.state(name, 'float32', shape, true, initial);
  }

  /** State that the optimizer does not touch: running statistics, moments, counters. */
  buffer(name: string, dtype: DType, shape: readonly number[], initial: () => NdArray): Tensor {
    return this.state(name, dtype, shape, false, initial);
  }

  /** The value that a step writes to a state. */
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

  /** The value of a state after all updates so far. */
  current(state: Tensor): Tensor {
    return this.updates.get(state.name) ?? state;
  }

  /** A named result of a step. */
  output(name: string, tensor: Tensor): void {
    this.outputs.set(name, tensor);
  }

  /** A constant; equal ones are shared. */
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

  /** A float32 constant without axes. */
  scalar(value: number): Tensor {
    return this.constant(ndarray('float32', [], Float32Array.of(value)));
  }

  /** An int64 constant vector, as ONNX takes axes, shapes and indices. */
  integers(values: readonly number[]): Tensor {
    return this.constant(ndarray('int64', [values.length], BigInt64Array.from(values, BigInt)));
  }

  /** Appends a node with one output of the given shape; its element type is the first input's unless given. */
  emit(
    opType: string,
    inputs: readonly (Tensor | undefined)[],
    shape: readonly number[],
    options: EmitOptions = {},
  ): Tensor {
    const dtype = options.dtype ?? inputs[0]?.dtype ?? 'float32';
    return this.emitMany(opType, inputs, [{ dtype, shape }], options)[0]!;
  }

  /** Appends a node with several outputs. */
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

  /** Puts a differentiable operator on the tape and returns its output. */
  vjp(output: Tensor, inputs: readonly Tensor[], backward: TapeEntry['backward']): Tensor {
    this.tape.push({ output, inputs, backward });
    return output;
  }

  /** Runs `build` with `name` in front of the names of its nodes, so that a profile can be read by layer. */
  scope<T>(name: string, build: () => T): T {
    return this.inScope(`${this.scopeName}${name}/`, build);
  }

  /** Runs `build` outside of all scopes. */
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
    if (this.states.has(name)) throw new Error(`state: "${name}" is there already`);
    const tensor = this.declare(name, dtype, shape);
    this.states.set(name, { tensor, trainable, initial });
    return tensor;
  }

  private declare(name: string, dtype: DType, shape: readonly number[]): Tensor {
    if (!shape.every((length) => Number.isInteger(length) && length >= 0)) {
      throw new Error(`${name}: a shape must be made of integers from 0, got ${formatShape(shape)}`);
    }
    return { name, dtype, shape, graph: this };
  }

  private freshName(hint: string): string {
    return `${this.scopeName}${hint}#${this.count++}`;
  }
}

/** What tells an array from all others: its bytes, or their hash where they are many. */
function contentOf({ dtype, shape, data }: NdArray): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const content = bytes.length <= 128 ? bytes.toString('latin1') : createHash('sha256').update(bytes).digest('base64');
  return `${dtype} ${shape.join()} ${content}`;
}
