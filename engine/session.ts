/** A compiled graph on a device: state and feeds go in, the new state and the named results come out. */
import type { NamedArrays, NdArray, TensorSpec } from '../formats/ndarray';
import { onnxRuntime, type Backend, type CompileOptions, type Program, type Results } from './backends';
import type { Graph } from './graph';
import { formatShape, sameShape } from './tensor';

export type { Results } from './backends';

/**
 * The state of a training run. It lives where its steps run: a step reads its values and makes new ones, and a step that
 * fails leaves it as it was.
 */
export class State {
  private readonly known = new Map<string, TensorSpec>();
  /** What is known on the host: all that was set or fetched and not updated since. */
  private readonly host = new Map<string, NdArray>();
  private backend: Backend | undefined;
  private readonly values = new Map<string, unknown>();
  /** Values before those, whose memory a step may take for new ones. */
  private readonly recycled = new Map<string, unknown>();
  /** @internal A step is under way, and its values are not to be touched. */
  busy = false;

  /** The initial state of a graph, or of several that share their state. */
  static initial(...graphs: readonly Graph[]): State {
    const state = new State();
    for (const { states } of graphs) {
      for (const [name, { initial }] of states) if (!state.known.has(name)) state.set(name, initial());
    }
    return state;
  }

  get names(): string[] {
    return [...this.known.keys()];
  }

  /** Element type and shape of each state. */
  get specs(): ReadonlyMap<string, TensorSpec> {
    return this.known;
  }

  /**
   * The value of one state; the array is a view that is good until the next step. After a step on a device with memory of
   * its own, `fetch` has to bring it first.
   */
  get(name: string): NdArray {
    if (!this.known.has(name)) throw new Error(`state: no "${name}"`);
    const array = this.host.get(name) ?? this.backend?.view?.(this.values.get(name));
    if (!array) throw new Error(`state: "${name}" is on the device, and was not fetched since the last step`);
    return array;
  }

  /** Sets a state to a copy of `array`. */
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

  /** All values, as views that are good until the next step. */
  arrays(): NamedArrays {
    return new Map(this.names.map((name) => [name, this.get(name)]));
  }

  /** Brings all values to the host, for `get` and `arrays`; where they live there, nothing is to be done. */
  async toHost(): Promise<void> {
    if (!this.backend || this.backend.view) return;
    const missing = new Map([...this.values].filter(([name]) => !this.host.has(name)));
    for (const [name, array] of await this.backend.download(missing)) this.host.set(name, array);
  }

  /** @internal Puts all values on a device. */
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

  /** @internal The values of these states, and the spare ones. */
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

  /** @internal Makes new values the current ones; states that a step does not update stay. */
  commit(next: ReadonlyMap<string, unknown>): void {
    for (const [name, value] of next) {
      const old = this.values.get(name);
      if (this.backend?.free) this.backend.free(old);
      else this.recycled.set(name, old);
      this.values.set(name, value);
      this.host.delete(name);
    }
  }

  /** @internal Gives new values up; the current ones stay. */
  discard(next: ReadonlyMap<string, unknown>): void {
    for (const [name, value] of next) {
      if (this.backend?.free) this.backend.free(value);
      else this.recycled.set(name, value);
    }
  }

  /** Forgets what is on the device of a state. */
  private forget(name: string): void {
    if (this.values.has(name)) this.backend?.free?.(this.values.get(name));
    this.values.delete(name);
    this.recycled.delete(name);
  }
}

export interface SessionOptions extends CompileOptions {
  /** Where the graph runs; ONNX Runtime on the CPU by default. */
  readonly backend?: Backend | undefined;
}

const CPU = onnxRuntime('cpu');

export class Session {
  private constructor(
    private readonly graph: Graph,
    private readonly backend: Backend,
    private readonly program: Program,
    private readonly fedStates: readonly string[],
  ) {}

  /** Compiles a graph. */
  static async create(graph: Graph, options: SessionOptions = {}): Promise<Session> {
    const { backend = CPU, ...compile } = options;
    const fedStates = [...graph.states.keys()].filter((name) => !compile.frozen?.has(name));
    return new Session(graph, backend, await backend.compile(graph, compile), fedStates);
  }

  /** One step: reads `state`, leaves the new values in it where the outputs are accepted, and returns these. */
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
    if (state.busy) throw new Error('run: a step on this state has not ended yet');
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

  /** Frees the compiled graph, and ends a profile. */
  release(): Promise<void> {
    return this.program.release();
  }
}
