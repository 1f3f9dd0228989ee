/**
 * What runs graphs on a device. A backend compiles a graph to a program; states live in values of its own, which it makes
 * of arrays and turns back into arrays. Nothing else in the engine knows where a graph runs.
 */
import type { Precision } from '../../utils/devices';
import type { NamedArrays, NdArray } from '../../formats/ndarray';
import type { Graph } from '../graph';

export interface CompileOptions {
  /** Threads of an operator on the host; 0 takes every core. */
  readonly threads?: number | undefined;
  /** States that become constants of the program instead of values that it is given. */
  readonly frozen?: ReadonlyMap<string, NdArray> | undefined;
  /** The first axis of every input and output may have any length, whatever the graph says. */
  readonly dynamicBatch?: boolean | undefined;
  /** Of products and convolutions; float32 where absent. */
  readonly precision?: Precision | undefined;
  /** Version of ONNX's operator set that the nodes are written in; 18 by default. */
  readonly opset?: number | undefined;
  /** Writes a profile beside this path prefix, where the backend can. */
  readonly profile?: string | undefined;
}

/** Results of a run by name. */
export type Results = Record<string, NdArray>;

/** What a step makes: the graph's outputs on the host, and the new values of the states that it updates. */
export interface RunResult<Value> {
  readonly outputs: Results;
  readonly states: ReadonlyMap<string, Value>;
}

/** A compiled graph. */
export interface Program<Value = unknown> {
  /**
   * One step. `feeds` has an array for each input of the graph, `states` a value for each state that is not frozen; both
   * are only read. `spare` has older values of these states: a backend without `free` may write the new ones into them.
   */
  run(
    feeds: Readonly<Results>,
    states: ReadonlyMap<string, Value>,
    spare: ReadonlyMap<string, Value>,
  ): Promise<RunResult<Value>>;
  release(): Promise<void>;
}

/** A device, ready to run. `Value` is what holds a state there. */
export interface Backend<Value = unknown> {
  /** The name that it goes by in params.json. */
  readonly name: string;
  compile(graph: Graph, options: CompileOptions): Promise<Program<Value>>;
  /** Values with the elements of arrays, by the same names. The arrays are given away: values may share their memory. */
  upload(arrays: NamedArrays): Promise<Map<string, Value>>;
  /** The elements of values, by the same names. */
  download(values: ReadonlyMap<string, Value>): Promise<NamedArrays>;
  /** Where values are on the host: the elements of one, shared with it. */
  view?(value: Value): NdArray;
  /** Frees a value that no step will read again. A backend without it gets such values back as `spare`. */
  free?(value: Value): void;
}

/** A device that was opened, and what is to be known of it. */
export interface DeviceInfo {
  readonly backend: Backend;
  /** What it is and why it was taken, for the log and run.json: `ONNX Runtime 1.30.0 on the CPU`. */
  readonly description: string;
  /** What the user should be warned of. */
  readonly warning?: string;
}

/** Opens a device; throws a UserError that says what is missing where it cannot run here. */
export type OpenDevice = () => Promise<DeviceInfo>;
