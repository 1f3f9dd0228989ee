/**
 * ONNX Runtime as a backend, with any of its execution providers: the graph is written as an ONNX model and compiled.
 * Operators that a provider lacks run on the host.
 *
 * States are tensors of ONNX Runtime. With WebGPU they stay on the device from step to step: a step leaves new ones there
 * (`preferredOutputLocation`) and takes them as inputs again, and models of `Identity` nodes copy them there and back.
 * onnxruntime-node keeps no tensors on the devices of other providers, so with those the states live on the host, and a step
 * writes new values into the buffers of the values before the last.
 */
import { availableParallelism } from 'node:os';
import { ndarray, type DType, type NamedArrays, type NdArray } from '../../formats/ndarray';
import { freeNow } from '../../utils/free_now';
import { inHalfPrecision } from '../analysis/half_precision';
import { Graph } from '../graph';
import { nextName, writeModel } from '../onnx/write';
import { InferenceSession, OrtTensor } from '../onnx_runtime';
import type { Backend, CompileOptions, RunResult, Program, Results } from './backend';
import { forCpu, isTrainingGraph } from './cpu';
import { hasLargeConstants } from './simplified';
import { forWebGpu } from './webgpu';

const PROVIDERS = ['cpu', 'webgpu', 'dml', 'coreml', 'cuda'] as const;

/** An execution provider of ONNX Runtime, by its name in params.json. */
export type Provider = (typeof PROVIDERS)[number];

type Tensors = ReadonlyMap<string, OrtTensor>;

/**
 * Graphs of this many nodes are compiled without ONNX Runtime's own optimizations: it looks for each in the whole graph, which takes
 * two thirds of the time of compiling a step of ResNet-110, and finds nothing that `forCpu` leaves.
 */
const MANY_NODES = 5000;

/** ONNX Runtime with a provider; whether it works shows only at the first `compile`. */
export function onnxRuntime(provider: Provider): Backend<OrtTensor> {
  return provider === 'webgpu' ? new ResidentBackend(provider) : new HostBackend(provider);
}

/** States on the host. */
class HostBackend implements Backend<OrtTensor> {
  constructor(readonly name: Provider) {}

  async compile(source: Graph, options: CompileOptions): Promise<Program<OrtTensor>> {
    const isPlain = this.name === 'cpu' && options.precision !== 'float16';
    const graph = isPlain ? await forCpu(source, options) : inPrecision(source, options);
    return new OnnxRuntimeProgram(graph, await createSession(this.name, graph, options), (name, spare) => {
      const { dtype, shape } = graph.states.get(name)!.tensor;
      return spare.get(name) ?? toOrt(ndarray(dtype, shape));
    });
  }

  upload(arrays: NamedArrays): Promise<Map<string, OrtTensor>> {
    return Promise.resolve(new Map([...arrays].map(([name, array]) => [name, toOrt(array)])));
  }

  download(values: Tensors): Promise<NamedArrays> {
    return Promise.resolve(new Map([...values].map(([name, value]) => [name, fromOrt(value)])));
  }

  view(value: OrtTensor): NdArray {
    return fromOrt(value);
  }
}

/** States on the device. */
class ResidentBackend implements Backend<OrtTensor> {
  /** Models that copy their inputs, by direction and by names, types and shapes. */
  private readonly carriers = new Map<string, Promise<InferenceSession>>();

  constructor(readonly name: Provider) {}

  async compile(source: Graph, options: CompileOptions): Promise<Program<OrtTensor>> {
    const graph = inPrecision(forWebGpu(source), options);
    const next = [...graph.updates].map(([name, tensor]) => [nextName(name), tensor] as const);
    const locations = Object.fromEntries([
      ...[...graph.outputs.keys()].map((name) => [name, 'cpu'] as const),
      ...next.map(([name, { dtype }]) => [name, isResident(dtype) ? 'gpu-buffer' : 'cpu'] as const),
    ]);
    const preferredOutputLocation = next.length > 0 ? { preferredOutputLocation: locations } : {};
    const ort = await createSession(this.name, graph, options, preferredOutputLocation);
    return new OnnxRuntimeProgram(graph, ort, () => null);
  }

  async upload(arrays: NamedArrays): Promise<Map<string, OrtTensor>> {
    const values = new Map([...arrays].map(([name, array]) => [name, toOrt(array)]));
    return this.carried(values, 'gpu-buffer');
  }

  async download(values: Tensors): Promise<NamedArrays> {
    const found = await this.carried(values, 'cpu');
    return new Map([...found].map(([name, value]) => [name, fromOrt(value)]));
  }

  free(value: OrtTensor): void {
    if (value.location !== 'cpu') value.dispose();
  }

  private async carried(values: Tensors, location: 'cpu' | 'gpu-buffer'): Promise<Map<string, OrtTensor>> {
    const carried = new Map(values);
    const moved = [...values].filter(([, { type }]) => isResident(type as DType));
    if (moved.length === 0) return carried;
    const key = JSON.stringify([location, moved.map(([name, { type, dims }]) => [name, type, dims])]);
    const carrier = this.carriers.get(key) ?? createCarrier(this.name, new Map(moved), location);
    this.carriers.set(key, carrier);
    const found = await (await carrier).run(Object.fromEntries(moved));
    for (const [name] of moved) carried.set(name, found[nextName(name)]!);
    return carried;
  }
}

function inPrecision(graph: Graph, { precision }: CompileOptions): Graph {
  return precision === 'float16' ? inHalfPrecision(graph) : graph;
}

/** WebGPU has no integers of 64 bits. */
function isResident(dtype: DType): boolean {
  return dtype === 'float32';
}

/** A model that copies tensors like `values` to the host or to the device. */
function createCarrier(provider: Provider, values: Tensors, location: 'cpu' | 'gpu-buffer'): Promise<InferenceSession> {
  const graph = new Graph();
  for (const [name, { type, dims }] of values) {
    const input = graph.input(name, type as DType, dims);
    graph.output(nextName(name), graph.emit('Identity', [input], dims));
  }
  return createSession(provider, graph, {}, { preferredOutputLocation: location });
}

function createSession(
  provider: Provider,
  graph: Graph,
  { threads = 0, profile, ...write }: CompileOptions,
  options: InferenceSession.SessionOptions = {},
): Promise<InferenceSession> {
  return InferenceSession.create(writeModel(graph, write), {
    executionProviders: executionProviders(provider),
    intraOpNumThreads: threads || availableParallelism(),
    interOpNumThreads: 1,
    graphOptimizationLevel: optimizationLevel(graph, provider === 'cpu' && isTrainingGraph(graph, write)),
    // A memory pattern is one more block for all values of a step, besides what the first step took from the arena.
    enableMemPattern: false,
    logSeverityLevel: 4,
    extra: { session: { set_denormal_as_zero: '1' } },
    ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
    ...options,
  });
}

function optimizationLevel(graph: Graph, isSimplified: boolean): 'all' | 'basic' | 'disabled' {
  if (graph.nodes.length < MANY_NODES) return 'all';
  return isSimplified && !hasLargeConstants(graph) ? 'disabled' : 'basic';
}

/**
 * A provider as an option of a session. WebGPU keeps the layout of the graph: changing to its own and back adds more nodes
 * than it saves, some of which run on the host.
 */
export function executionProviders(provider: Provider): InferenceSession.ExecutionProviderConfig[] {
  return [provider === 'webgpu' ? { name: provider, preferredLayout: 'NCHW' } : provider];
}

/** The provider of a backend; `cpu` for none and for TensorFlow.js. */
export function providerOf(backend: Backend | undefined): Provider {
  return PROVIDERS.find((provider) => provider === backend?.name) ?? 'cpu';
}

class OnnxRuntimeProgram implements Program<OrtTensor> {
  constructor(
    private readonly graph: Graph,
    private readonly ort: InferenceSession,
    /** The tensor to write the new value of a state into, or null to allocate one. */
    private readonly target: (name: string, spare: Tensors) => OrtTensor | null,
  ) {}

  async run(feeds: Readonly<Results>, states: Tensors, spare: Tensors): Promise<RunResult<OrtTensor>> {
    const inputs = Object.fromEntries(states);
    for (const [name, array] of Object.entries(feeds)) inputs[name] = toOrt(array);
    const fetches: Record<string, OrtTensor | null> = {};
    for (const name of this.graph.outputs.keys()) fetches[name] = null;
    for (const name of this.graph.updates.keys()) fetches[nextName(name)] = this.target(name, spare);
    const fetched = await this.ort.run(inputs, fetches);
    const next = [...this.graph.updates.keys()].map((name) => {
      const returned = fetched[nextName(name)]!;
      return { name, value: fetches[nextName(name)] ?? returned, returned };
    });
    // The binding writes into a tensor that it is given, and returns a copy of it (1.30).
    const copies = next.filter(({ value, returned }) => value !== returned && bufferOf(value) !== bufferOf(returned));
    freeNow(copies.map(({ returned }) => bufferOf(returned)));
    return {
      outputs: Object.fromEntries([...this.graph.outputs.keys()].map((name) => [name, fromOrt(fetched[name]!)])),
      states: new Map(next.map(({ name, value }) => [name, value])),
    };
  }

  async release(): Promise<void> {
    this.ort.endProfiling();
    await this.ort.release();
  }
}

function bufferOf(tensor: OrtTensor): ArrayBuffer {
  return (tensor.data as Float32Array<ArrayBuffer>).buffer;
}

/** An array as a tensor of ONNX Runtime, which shares its memory. */
export function toOrt(array: NdArray): OrtTensor {
  return new OrtTensor(array.dtype, array.data as Float32Array, array.shape);
}

/** A tensor of ONNX Runtime on the host as an array, which shares its memory. */
export function fromOrt(tensor: OrtTensor): NdArray {
  return ndarray(tensor.type as DType, tensor.dims, tensor.data as Float32Array);
}
