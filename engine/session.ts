/** Running graphs: a session compiles one for a device, and each run takes a state and feeds and returns named outputs. */
import type { NamedArrays, NdArray, TensorSpec } from '../formats/ndarray';
import { onnxRuntime, type Backend, type CompileOptions, type Program, type Results } from './backends';
import type { Graph } from './graph';
import { formatShape, sameShape } from './tensor';

export type { Results } from './backends';

/**
 * The state of a training run: parameters, running statistics, optimizer moments, by name. It lives on the device that runs
 * its steps. A step reads its values and leaves new ones; a step that fails leaves it unchanged.
 */
export class State {
  private readonly known = new Map<string, TensorSpec>();
  /** Values on the host: all that were set or downloaded and not updated since. */
  private readonly host = new Map<string, NdArray>();
  private backend: Backend | undefined;
  private readonly values = new Map<string, unknown>();
  /** Older values, whose memory the next step may use for new ones. */
  private readonly recycled = new Map<string, unknown>();
  /** @internal True while a step runs on this state. */
  busy = false;

  /** The initial state of a graph, or of several graphs that share states by name. */
  static initial(...graphs: readonly Graph[]): State {
    const state = new State();
    for (const { states } of graphs) {
      for (const [name, { initial }] of states) if (!state.known.has(name)) state.set(name, initial());
    }
    return state;
  }

  /** Names of all states, in the order in which they were first set. */
  get names(): string[] {
    return [...this.known.keys()];
  }

  /** Element type and shape of each state. */
  get specs(): ReadonlyMap<string, TensorSpec> {
    return this.known;
  }

  /**
   * The value of one state, as a view that is valid until the next step. Throws if there is no such state, or if its value
   * is on a device with memory of its own: call `toHost` first.
   */
  get(name: string): NdArray {
    if (!this.known.has(name)) throw new Error(`state: no "${name}"`);
    const array = this.host.get(name) ?? this.backend?.view?.(this.values.get(name));
    if (!array) throw new Error(`state: "${name}" is on the device: call toHost() after a step`);
    return array;
  }

  /** Sets a state to a copy of `array`. Throws if the state exists with another shape or element type. */
  set(name: string, array: NdArray): void {
    const known = this.known.get(name);
    if (known && (!sameShape(known.shape, array.shape) || known.dtype !== array.dtype)) {
      throw new Error(
        `state: "${name}" is ${known.dtype} ${formatShape(known.shape)}, got ${array.dtype} ${formatShape(array.shape)}`,
      );
    }
    const { dtype, shape } = array;
    this.known.set(name, { dtype, shape });
    this.host.set(name, { dtype, shape, data: array.data.slice() });
    this.forget(name);
  }

  /** All values by name, as views that are valid until the next step. Throws as `get` does. */
  arrays(): NamedArrays {
    return new Map(this.names.map((name) => [name, this.get(name)]));
  }

  /** Copies values from the device, so that `get` and `arrays` work; does nothing if they are on the host already. */
  async toHost(): Promise<void> {
    if (!this.backend || this.backend.view) return;
    const missing = new Map([...this.values].filter(([name]) => !this.host.has(name)));
    for (const [name, array] of await this.backend.download(missing)) this.host.set(name, array);
  }

  /** @internal Uploads all values that are not yet on the device of this backend. */
  async toDevice(backend: Backend): Promise<void> {
    if (this.backend !== backend) {
      await this.toHost();
      for (const name of this.values.keys()) this.host.set(name, this.get(name));
      for (const name of this.names) this.forget(name);
      this.backend = backend;
    }
    const missing = new Map([...this.host].filter(([name]) => !this.values.has(name)));
    if (missing.size === 0) return;
    for (const [name, value] of await backend.upload(missing)) this.values.set(name, value);
    if (backend.view) this.host.clear();
  }

  /** @internal The device's values of these states, and older ones whose memory may be used. Throws if one is missing. */
  valuesOf(names: readonly string[]): {
    values: ReadonlyMap<string, unknown>;
    spare: ReadonlyMap<string, unknown>;
  } {
    const values = names.map((name) => {
      if (!this.values.has(name)) throw new Error(`run: the state has no "${name}"`);
      return [name, this.values.get(name)] as const;
    });
    return { values: new Map(values), spare: this.recycled };
  }

  /** @internal Makes new values the current ones; states that are not among them keep theirs. */
  commit(next: ReadonlyMap<string, unknown>): void {
    for (const [name, value] of next) {
      const old = this.values.get(name);
      if (this.backend?.free) this.backend.free(old);
      else this.recycled.set(name, old);
      this.values.set(name, value);
      this.host.delete(name);
    }
  }

  /** @internal Drops new values; the current ones stay. */
  discard(next: ReadonlyMap<string, unknown>): void {
    for (const [name, value] of next) {
      if (this.backend?.free) this.backend.free(value);
      else this.recycled.set(name, value);
    }
  }

  /** Drops a state's value on the device. */
  private forget(name: string): void {
    if (this.values.has(name)) this.backend?.free?.(this.values.get(name));
    this.values.delete(name);
    this.recycled.delete(name);
  }
}

/** How `Session.create` compiles a graph, and for which device. */
export interface SessionOptions extends CompileOptions {
  /** The device that runs the graph; by default the CPU, by ONNX Runtime. */
  readonly backend?: Backend | undefined;
}

const CPU = onnxRuntime('cpu');

/**
 * A graph compiled for a device.
 *
 *     const session = await Session.create(graph);
 *     const state = State.initial(graph);
 *     const { loss } = await session.run({ x, ...graph.feeds(context) }, state);
 *     await session.release();
 */
export class Session {
  private constructor(
    private readonly graph: Graph,
    private readonly backend: Backend,
    private readonly program: Program,
    private readonly fedStates: readonly string[],
  ) {}

  /** Compiles a graph, which must not change afterwards. */
  static async create(graph: Graph, options: SessionOptions = {}): Promise<Session> {
    const { backend = CPU, ...compile } = options;
    const fedStates = [...graph.states.keys()].filter((name) => !compile.frozen?.has(name));
    return new Session(graph, backend, await backend.compile(graph, compile), fedStates);
  }

  /**
   * Runs one step and returns its outputs. `feeds` has an array for each input of the graph, host inputs included. The new
   * values of states are left in `state` if `accepts(outputs)` is true; otherwise the state stays as it was.
   * Throws if an input is not fed or has another element type, if `state` lacks a state of the graph, or if another step on
   * it has not finished.
   */
  async run(
    feeds: Readonly<Results>,
    state: State = new State(),
    accepts: (outputs: Results) => boolean = () => true,
  ): Promise<Results> {
    const inputs: Results = {};
    for (const [name, tensor] of this.graph.inputs) {
      const array = feeds[name];
      if (!array) throw new Error(`run: input "${name}" is not fed`);
      if (array.dtype !== tensor.dtype) throw new Error(`run: "${name}" must be ${tensor.dtype}, got ${array.dtype}`);
      inputs[name] = array;
    }
    if (state.busy) throw new Error('run: another step on this state has not finished');
    state.busy = true;
    try {
      await state.toDevice(this.backend);
      const { values, spare } = state.valuesOf(this.fedStates);
      const { outputs, states } = await this.program.run(inputs, values, spare);
      if (accepts(outputs)) state.commit(states);
      else state.discard(states);
      return outputs;
    } finally {
      state.busy = false;
    }
  }

  /** Frees the compiled graph and writes the profile, if one was asked for. */
  release(): Promise<void> {
    return this.program.release();
  }
}
