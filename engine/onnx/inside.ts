/** The tensors inside a model of others and their shapes, before any is computed: ONNX Runtime infers those of outputs. */
import { dirname, resolve } from 'node:path';
import { InferenceSession } from '../onnx_runtime';
import { field, fragment, valueInfo } from './pieces';
import { ModelProto, type dataTypes } from './proto';
import type { OnnxModel } from './read';
import { piecesOf, read, text } from './wire';

/** A tensor inside a model. */
export interface InsideValue {
  /** NumPy's name of its element type. */
  readonly dtype: string;
  /** Lengths, or the names of open axes. */
  readonly shape: readonly (number | string)[];
}

/** An input whose axes are fixed. */
export interface FixedInput {
  readonly name: string;
  readonly dtype: keyof typeof dataTypes;
  readonly shape: readonly number[];
}

/** Fields of ModelProto and GraphProto. */
const GRAPH = 7;
const INPUT = 11;

/** Session options that make ONNX Runtime look for external weights in the folder of the file. */
export function besideFile(path: string): Record<string, string> {
  return { model_external_initializers_file_folder_path: resolve(dirname(path)) };
}

/**
 * The tensors inside a model by name, in the order in which they are computed; with `fixed`, for an input of that shape. All
 * values are declared as outputs: concatenating protobuf messages merges them. Empty for a model that cannot be loaded in
 * this way.
 */
export async function insideOf(
  path: string,
  bytes: Uint8Array,
  { nodes, outputs }: Pick<OnnxModel, 'nodes' | 'outputs'>,
  fixed?: FixedInput,
): Promise<Map<string, InsideValue>> {
  const known = new Set(['', ...outputs.map(({ name }) => name)]);
  const output = nodes.flatMap((node) => node.outputs.filter((name) => !known.has(name)).map((name) => ({ name })));
  const addition = ModelProto.encode({ graph: { output } }).finish();
  try {
    const ort = await InferenceSession.create(
      Buffer.concat([...(fixed ? withInput(bytes, fixed) : [bytes]), addition]),
      {
        executionProviders: ['cpu'],
        // Shapes that nodes compute, as exporters write them for an open batch, are constants once those of inputs are.
        graphOptimizationLevel: fixed ? 'basic' : 'disabled',
        logSeverityLevel: 4,
        extra: { session: { disable_prepacking: '1', ...besideFile(path) } },
      },
    );
    const found = new Map(ort.outputMetadata.map((value) => [value.name, value]));
    await ort.release();
    return new Map(
      nodes.flatMap((node) =>
        node.outputs.flatMap((name) => {
          const value = found.get(name);
          return value?.isTensor ? [[name, { dtype: value.type, shape: value.shape }] as const] : [];
        }),
      ),
    );
  } catch {
    return new Map();
  }
}

/** The bytes of the model with these axes of its input. */
function withInput(bytes: Uint8Array, { name, dtype, shape }: FixedInput): Uint8Array[] {
  const isOther = (content: Uint8Array) => read('ValueInfoProto', content, { name: text }).name[0] !== name;
  const input = fragment('GraphProto', { input: [valueInfo(name, shape, dtype)] });
  return [...piecesOf(bytes)].flatMap(({ id, whole, content }) => {
    if (id !== GRAPH) return [whole];
    const kept = [...piecesOf(content!)].filter((piece) => piece.id !== INPUT || isOther(piece.content!));
    return field(GRAPH, [...kept.map((piece) => piece.whole), input]);
  });
}
