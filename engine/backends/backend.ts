/**
 * The interface of backends: a backend compiles graphs to programs for a device, and holds states in its own values,
 * which it uploads from arrays and downloads to arrays. Nothing else in the engine knows where a graph runs.
 */
import type { NamedArrays, NdArray } from '../../formats/ndarray';
import type { Precision } from '../../utils/devices';
import type { Graph } from '../graph';

/** How a graph is compiled. */
export interface CompileOptions {
  /** Threads of each operator on the host; 0, the default, uses every core. */
  readonly threads?: number | undefined;
  /** Values of states that become constants of the program, by name; these states are not inputs of its runs. */
  readonly frozen?: ReadonlyMap<string, NdArray> | undefined;
  /** Leaves the first axis of every input and output open: any batch size, whatever the graph says. */
  readonly dynamicBatch?: boolean | undefined;
  /** Element type of matrix products and convolutions; float32 by default. */
  readonly precision?: Precision | undefined;
  /** Version of ONNX's operator set that the nodes are written in; 18 by default. */
  readonly opset?: number | undefined;
  /** Path prefix of a profile to write, if the backend can. */
  readonly profile?: string | undefined;
}

/** Arrays by name: the feeds of a run, or its outputs. */
export type Results = Record<string, NdArray>;

/** What a run returns. */
export interface RunResult<Value> {
  /** The graph's outputs, on the host. */
  readonly outputs: Results;
  /** The new values of the states that the graph updates. */
  readonly states: ReadonlyMap<string, Value>;
}

/** A compiled graph. `Value` is what holds a state on the device. */
export interface Program<Value = unknown> {
  /**
   * Runs one step. `feeds` has an array for each input of the graph, `states` a value for each state that is not frozen; both
   * are only read. `spare` has older values of these states, into which a backend without `free` may write the new ones.
   */
  run(
    feeds: Readonly<Results>,
    states: ReadonlyMap<string, Value>,
    spare: ReadonlyMap<string, Value>,
  ): Promise<RunResult<Value>>;
  /** Frees the program and writes its profile, if one was asked for. */
  release(): Promise<void>;
}

/** A device that is ready to run graphs. `Value` is what holds a state on it. */
export interface Backend<Value = unknown> {
  /** Its name in params.json: `cpu`, `cuda`, … */
  readonly name: string;
  /** Compiles a graph; fails if there is no kernel for one of its operators. */
  compile(graph: Graph, options: CompileOptions): Promise<Program<Value>>;
  /** Copies arrays to the device, by name. The backend may keep and share the memory of the arrays. */
  upload(arrays: NamedArrays): Promise<Map<string, Value>>;
  /** Copies values to the host, by name. */
  download(values: ReadonlyMap<string, Value>): Promise<NamedArrays>;
  /** For values on the host: a view of one, which shares its memory. Absent if values live on a device. */
  view?(value: Value): NdArray;
  /** Frees a value that no step will read again. A backend without `free` gets such values back as `spare`. */
  free?(value: Value): void;
}

/** A device that was opened. */
export interface DeviceInfo {
  /** What runs graphs on it. */
  readonly backend: Backend;
  /** What it is and why it was chosen, for the log and run.json: `ONNX Runtime 1.30.0 on the CPU`. */
  readonly description: string;
  /** A warning to show the user, if any. */
  readonly warning?: string;
}

/** Opens a device, or rejects with a UserError that says what is missing on this machine. */
export type OpenDevice = () => Promise<DeviceInfo>;
