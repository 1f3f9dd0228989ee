/** A compiled graph on ONNX Runtime: state and feeds go in, the new state and the named results come out. */
import { availableParallelism } from 'node:os';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { ndarray, type DType, type NamedArrays, type NdArray } from '../utils/ndarray';
import type { Graph } from './graph';
import { nextName, writeModel, type WriteOptions } from './onnx/write';
import { formatShape, sameShape } from './tensor';

/**
 * The state of a training run, in two sets of buffers: a step reads one and writes the other, then they change places,
 * so that nothing is allocated and a step that fails leaves the state as it was.
 */
export class State {
  private readonly current = new Map<string, OrtTensor>();
  private readonly spare = new Map<string, OrtTensor>();
  /** @internal A step is under way, and its buffers are not to be touched. */
  busy = false;

  /** The initial state of a graph, or of several that share their state. */
  static initial(...graphs: readonly Graph[]): State {
    const state = new State();
    for (const { states } of graphs) {
      for (const [name, { initial }] of states) if (!state.current.has(name)) state.set(name, initial());
    }
    return state;
  }

  get names(): string[] {
    return [...this.current.keys()];
  }

  /** The shape of each state. */
  get shapes(): Map<string, readonly number[]> {
    return new Map([...this.current].map(([name, { dims }]) => [name, dims]));
  }

  /** The value of one state; the array is a view that is good until the next step. */
  get(name: string): NdArray {
    const tensor = this.current.get(name);
    if (!tensor) throw new Error(`state: no "${name}"`);
    return fromOrt(tensor);
  }

  /** Sets a state to a copy of `array`. */
  set(name: string, array: NdArray): void {
    const known = this.current.get(name);
    if (known && (!sameShape(known.dims, array.shape) || known.type !== array.dtype)) {
      throw new Error(
        `state: "${name}" is ${known.type} ${formatShape(known.dims)}, got ${array.dtype} ${formatShape(array.shape)}`,
      );
    }
    this.current.set(name, toOrt({ ...array, data: array.data.slice() }));
    this.spare.set(name, toOrt(ndarray(array.dtype, array.shape)));
  }

  /** All values, as views that are good until the next step. */
  arrays(): NamedArrays {
    return new Map(this.names.map((name) => [name, this.get(name)]));
  }

  /** @internal The buffers that a step reads and writes. */
  buffers(): { current: ReadonlyMap<string, OrtTensor>; spare: ReadonlyMap<string, OrtTensor> } {
    return { current: this.current, spare: this.spare };
  }

  /** @internal Makes the written values the current ones; states that a step does not update stay. */
  advance(written: Iterable<string>): void {
    for (const name of written) {
      const next = this.spare.get(name)!;
      this.spare.set(name, this.current.get(name)!);
      this.current.set(name, next);
    }
  }
}

export interface SessionOptions extends WriteOptions {
  /** Threads of an operator; 0 takes every core. */
  readonly threads?: number;
  /** Writes ONNX Runtime's profile beside this path prefix. */
  readonly profile?: string;
}

/** Results of a run by name. */
export type Results = Record<string, NdArray>;

export class Session {
  private constructor(
    private readonly graph: Graph,
    private readonly ort: InferenceSession,
    private readonly fedStates: readonly string[],
  ) {}

  /** Compiles a graph. */
  static async create(graph: Graph, options: SessionOptions = {}): Promise<Session> {
    const { threads = 0, profile, ...write } = options;
    const ort = await InferenceSession.create(writeModel(graph, write), {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads || availableParallelism(),
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4,
      extra: { session: { set_denormal_as_zero: '1' } },
      ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
    });
    const fedStates = [...graph.states.keys()].filter((name) => !write.frozen?.has(name));
    return new Session(graph, ort, fedStates);
  }

  /** One step: reads `state`, leaves the new values in it, and returns the graph's outputs. */
  async run(feeds: Readonly<Record<string, NdArray>>, state: State = new State()): Promise<Results> {
    const inputs: Record<string, OrtTensor> = {};
    for (const [name, tensor] of this.graph.inputs) {
      const array = feeds[name];
      if (!array) throw new Error(`run: input "${name}" is not fed`);
      if (array.dtype !== tensor.dtype) throw new Error(`run: "${name}" must be ${tensor.dtype}, got ${array.dtype}`);
      inputs[name] = toOrt(array);
    }
    if (state.busy) throw new Error('run: a step on this state has not ended yet');
    const { current, spare } = state.buffers();
    for (const name of this.fedStates) inputs[name] = required(current, name);
    const fetches: Record<string, OrtTensor | null> = {};
    for (const name of this.graph.outputs.keys()) fetches[name] = null;
    for (const name of this.graph.updates.keys()) fetches[nextName(name)] = required(spare, name);

    state.busy = true;
    const fetched = await this.ort.run(inputs, fetches).finally(() => (state.busy = false));
    state.advance(this.graph.updates.keys());
    return Object.fromEntries([...this.graph.outputs.keys()].map((name) => [name, fromOrt(fetched[name]!)]));
  }

  /** Frees the compiled graph, and ends a profile. */
  async release(): Promise<void> {
    this.ort.endProfiling();
    await this.ort.release();
  }
}

function required(buffers: ReadonlyMap<string, OrtTensor>, name: string): OrtTensor {
  const tensor = buffers.get(name);
  if (!tensor) throw new Error(`run: the state has no "${name}"`);
  return tensor;
}

/** @internal An array as ONNX Runtime takes it; the elements are shared. */
export function toOrt(array: NdArray): OrtTensor {
  return new OrtTensor(array.dtype, array.data as Float32Array, array.shape);
}

/** @internal A result of ONNX Runtime as an array; the elements are shared. */
export function fromOrt(tensor: OrtTensor): NdArray {
  return ndarray(tensor.type as DType, tensor.dims, tensor.data as Float32Array);
}
