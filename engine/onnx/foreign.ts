/** Running an ONNX model that another program exported. */
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { quoted, readBytes } from '../../formats/binary';
import { foreignKind, isOnnx } from '../../formats/file_kinds';
import { sizeOf, type NdArray } from '../../formats/ndarray';
import { isTorchCheckpoint } from '../../formats/pytorch/index';
import { isSafetensors } from '../../formats/safetensors';
import { messageOf, UserError } from '../../utils/errors';
import { isFile, isThere } from '../../utils/files';
import { executionProviders, fromOrt, toOrt, type Provider } from '../backends/onnxruntime';
import { InferenceSession } from '../onnx_runtime';
import { adapt, type Adapted, type Ends } from './adapt';
import { besideFile, insideOf, type FixedInput, type InsideValue } from './inside';
import { readModel, type OnnxModel, type OnnxValue } from './read';

/** No value inside of a model may have more elements: 512 MB of float32. */
const MAX_ELEMENTS = 2 ** 27;

/** How a model is compiled. */
export interface OpenOptions {
  /** Path prefix of a profile, which ONNX Runtime writes when the model is released. */
  readonly profile?: string | undefined;
  /** `cpu` by default. */
  readonly provider?: Provider;
}

/** A compiled model from a file. */
export class ForeignModel {
  private constructor(
    readonly path: string,
    readonly inputs: readonly OnnxValue[],
    readonly outputs: readonly OnnxValue[],
    private readonly ort: InferenceSession,
  ) {}

  /**
   * Loads a model; 0 threads use every core. Weights in other files must be in the folder of the model or below it; ONNX
   * Runtime refuses to look elsewhere. Rejects with a one-line UserError that says what cannot be loaded.
   */
  static async open(path: string, threads: number, options: OpenOptions = {}): Promise<ForeignModel> {
    const { bytes, model } = readForeign(path);
    await refuseLarge(path, bytes, model);
    return new ForeignModel(path, model.inputs, model.outputs, await load(path, undefined, threads, model, options));
  }

  /**
   * The same in evaluation mode, with one float32 input and float32 outputs, whatever types the model has: `ends` says which
   * of its values these are (see `adapt`).
   */
  static async openAdapted(
    path: string,
    threads: number,
    ends: Ends,
    options: OpenOptions = {},
  ): Promise<{ model: ForeignModel } & Omit<Adapted, 'bytes'>> {
    const { bytes, model } = readForeign(path);
    const { bytes: other, ...adapted } = adapt(bytes, model, ends, path);
    const own = other ? readModel(other, path) : model;
    await refuseLarge(path, other ?? bytes, own);
    const ort = await load(path, other, threads, own, options);
    return { model: new ForeignModel(path, own.inputs, own.outputs, ort), ...adapted };
  }

  /** The structure of a model, and the tensors inside it for an input of some shape. */
  static look(path: string): {
    model: OnnxModel;
    inside: (fixed: FixedInput) => Promise<ReadonlyMap<string, InsideValue>>;
  } {
    const { bytes, model } = readForeign(path);
    return { model, inside: (fixed) => insideOf(path, bytes, model, fixed) };
  }

  /** Computes the outputs `names` from the inputs `feeds`. Rejects with a one-line UserError if ONNX Runtime cannot. */
  async run(feeds: Readonly<Record<string, NdArray>>, names: readonly string[]): Promise<NdArray[]> {
    const inputs = Object.entries(feeds).map(([input, array]) => [input, toOrt(array)] as const);
    try {
      const results = await this.ort.run(Object.fromEntries(inputs), names);
      return names.map((name) => fromOrt(results[name]!));
    } catch (error) {
      throw new UserError(`${this.path}: ONNX Runtime cannot run it: ${firstLine(error)}`);
    }
  }

  /** Frees the model and writes its profile, if one was asked for. */
  async release(): Promise<void> {
    this.ort.endProfiling();
    await this.ort.release();
  }
}

/** The paths of the files next to a model that hold its weights; [] if the model itself does. */
export function weightFiles(path: string, bytes = readBytes(path)): string[] {
  const files = [...readModel(bytes, path).initializers.values()].map(({ file }) => file);
  return [...new Set(files)].flatMap((file) => (file === undefined ? [] : [join(dirname(path), file)]));
}

function readForeign(path: string): { bytes: Uint8Array; model: OnnxModel } {
  const bytes = readBytes(path);
  const kind = isOnnx(bytes) ? undefined : weightsKind(bytes);
  if (kind !== undefined) throw new UserError(`${path}: not an ONNX model: ${kind}`);
  const model = readModel(bytes, path);
  for (const { file } of model.initializers.values()) {
    if (file === undefined || isFile(join(dirname(path), file))) continue;
    const trouble = isThere(join(dirname(path), file)) ? 'cannot be read: not a regular file' : 'does not exist';
    throw new UserError(`${path}: its weights are in the file ${quoted(file)} next to it, which ${trouble}`);
  }
  return { bytes, model };
}

async function refuseLarge(path: string, bytes: Uint8Array, model: OnnxModel): Promise<void> {
  for (const [name, { shape }] of await insideOf(path, bytes, model)) {
    // An open axis counts as 1.
    const elements = sizeOf(shape.filter((length) => typeof length === 'number'));
    if (elements <= MAX_ELEMENTS) continue;
    throw new UserError(
      `${path}: computes ${quoted(name)} of ${elements} elements, accepted are up to ${MAX_ELEMENTS}`,
    );
  }
}

/** Compiles the file, or `bytes` in its place. */
async function load(
  path: string,
  bytes: Uint8Array | undefined,
  threads: number,
  { initializers }: OnnxModel,
  { profile, provider = 'cpu' }: OpenOptions,
): Promise<InferenceSession> {
  const options: InferenceSession.SessionOptions = {
    executionProviders: executionProviders(provider),
    intraOpNumThreads: threads || availableParallelism(),
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    ...(bytes && { extra: { session: besideFile(path) } }),
    ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
  };
  try {
    return await (bytes ? InferenceSession.create(bytes, options) : InferenceSession.create(path, options));
  } catch (error) {
    const hasBfloat16 = [...initializers.values()].some(({ dtype }) => dtype === 'bfloat16');
    const advice = hasBfloat16 ? '; its weights are bfloat16, which few operators take: export it in float32' : '';
    throw new UserError(`${path}: ONNX Runtime cannot load it: ${firstLine(error)}${advice}`);
  }
}

/** The first line of an error, cut to 400 characters, as it may quote names from the file. */
function firstLine(error: unknown): string {
  const [line] = messageOf(error)
    .trim()
    .split(/\p{Cc}/u);
  return line!.slice(0, 400);
}

/** What a file is that is not a model, in words; undefined if unknown. */
function weightsKind(bytes: Uint8Array): string | undefined {
  const title = isSafetensors(bytes)
    ? 'a safetensors file'
    : isTorchCheckpoint(bytes)
      ? 'a PyTorch checkpoint'
      : undefined;
  if (title === undefined) return foreignKind(bytes);
  return `it is ${title}: name its network too, "teacher": { "model": …, "checkpoint": FILE }`;
}
