/** An ONNX model that another program made: what it is fed and gives, and its results. */
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { InferenceSession } from '../onnx_runtime';
import { quoted, readBytes } from '../../utils/binary';
import { messageOf, UserError } from '../../utils/errors';
import { foreignKind, isOnnx } from '../../utils/file_kinds';
import { isFile, isThere } from '../../utils/files';
import { sizeOf, type NdArray } from '../../utils/ndarray';
import { isTorchCheckpoint } from '../../utils/pytorch';
import { isSafetensors } from '../../utils/safetensors';
import { executionProviders, fromOrt, toOrt, type Provider } from '../backends/onnxruntime';
import { ModelProto } from './proto';
import { readModel, type OnnxModel, type OnnxValue } from './read';

/** No value inside of a model may have more elements: 512 MB of float32. */
const MAX_ELEMENTS = 2 ** 27;

export class ForeignModel {
  private constructor(
    readonly path: string,
    readonly inputs: readonly OnnxValue[],
    readonly outputs: readonly OnnxValue[],
    readonly metadata: ReadonlyMap<string, string>,
    private readonly ort: InferenceSession,
  ) {}

  /**
   * Loads a model; 0 threads take every core. Weights in other files are found where they lie in the model's own folder
   * or below it; ONNX Runtime refuses to follow them elsewhere. A UserError of one line tells what cannot be loaded. With
   * a `profile`, ONNX Runtime writes one beside this path prefix when the model is released.
   */
  static async open(
    path: string,
    threads: number,
    profile?: string,
    provider: Provider = 'cpu',
  ): Promise<ForeignModel> {
    const bytes = readBytes(path);
    const kind = isOnnx(bytes) ? undefined : weightsKind(bytes);
    if (kind !== undefined) throw new UserError(`${path}: not an ONNX model: ${kind}`);
    const model = readModel(bytes, path);
    for (const { file } of model.initializers.values()) {
      if (file === undefined || isFile(join(dirname(path), file))) continue;
      const trouble = isThere(join(dirname(path), file)) ? 'cannot be read: not a regular file' : 'is not there';
      throw new UserError(`${path}: its weights are in the file ${quoted(file)} beside it, which ${trouble}`);
    }
    const large = (await valueSizes(bytes, model)).find(({ elements }) => elements > MAX_ELEMENTS);
    if (large) {
      throw new UserError(
        `${path}: computes ${quoted(large.name)} of ${large.elements} elements, accepted are up to ${MAX_ELEMENTS}`,
      );
    }
    try {
      const ort = await InferenceSession.create(path, {
        executionProviders: executionProviders(provider),
        intraOpNumThreads: threads || availableParallelism(),
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        logSeverityLevel: 4,
        ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
      });
      return new ForeignModel(path, model.inputs, model.outputs, model.metadata, ort);
    } catch (error) {
      throw new UserError(`${path}: ONNX Runtime cannot load it: ${firstLine(error)}`);
    }
  }

  /** The output `name` for the inputs `feeds`. A UserError of one line tells what ONNX Runtime cannot compute. */
  async run(feeds: Readonly<Record<string, NdArray>>, name: string): Promise<NdArray> {
    const inputs = Object.entries(feeds).map(([input, array]) => [input, toOrt(array)] as const);
    try {
      const results = await this.ort.run(Object.fromEntries(inputs), [name]);
      return fromOrt(results[name]!);
    } catch (error) {
      throw new UserError(`${this.path}: ONNX Runtime cannot run it: ${firstLine(error)}`);
    }
  }

  async release(): Promise<void> {
    this.ort.endProfiling();
    await this.ort.release();
  }
}

/**
 * How many elements the values inside of a model have, before any is computed; an open axis counts as 1. ONNX Runtime
 * tells the shapes of outputs, so all values are declared to be outputs: messages in protobuf are merged by putting one
 * behind the other. Nothing is told of a model that cannot be loaded in this way.
 */
async function valueSizes(
  bytes: Uint8Array,
  { nodes, outputs }: OnnxModel,
): Promise<{ name: string; elements: number }[]> {
  const known = new Set(['', ...outputs.map(({ name }) => name)]);
  const output = nodes.flatMap((node) => node.outputs.filter((name) => !known.has(name)).map((name) => ({ name })));
  const addition = ModelProto.encode({ graph: { output } }).finish();
  try {
    const ort = await InferenceSession.create(Buffer.concat([bytes, addition]), {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 4,
      extra: { session: { disable_prepacking: '1' } },
    });
    const tensors = ort.outputMetadata.filter((value) => value.isTensor);
    await ort.release();
    const lengths = (shape: readonly (number | string)[]) => shape.filter((length) => typeof length === 'number');
    return tensors.map(({ name, shape }) => ({ name, elements: sizeOf(lengths(shape)) }));
  } catch {
    return [];
  }
}

/** The first line of an error, which may quote names from the file, in a readable length. */
function firstLine(error: unknown): string {
  const [line] = messageOf(error)
    .trim()
    .split(/\p{Cc}/u);
  return line!.slice(0, 400);
}

/** What a file is that is no model but weights, or nothing of the kind; undefined where that is not known. */
function weightsKind(bytes: Uint8Array): string | undefined {
  const title = isSafetensors(bytes)
    ? 'a safetensors file'
    : isTorchCheckpoint(bytes)
      ? 'a PyTorch checkpoint'
      : undefined;
  if (title === undefined) return foreignKind(bytes);
  return `it is ${title}, which is named with its network: "teacher": { "model": …, "checkpoint": FILE }`;
}
