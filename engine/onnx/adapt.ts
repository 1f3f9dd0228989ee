/**
 * A model of others brought to one form: one input and one output of float32, in evaluation mode, with nothing in it that
 * the output does not depend on. onnxruntime-node cannot be fed float16 and bfloat16, and gives them as another type from
 * version to version of Node; what is a sequence, it does not give at all.
 *
 * The bytes of what stays are not decoded, so fields that are not known here survive.
 */
import { Writer } from 'protobufjs';
import { evaluationOf } from './evaluation_mode';
import { ancestors } from './nodes';
import { attributeTypes, dataTypes, ModelProto } from './proto';
import { ofModel, type OnnxModel, type OnnxValue } from './read';
import { piecesOf, read, text } from './wire';

/** What is fed and what is wanted, of the values of a model. */
export interface Ends {
  readonly input: OnnxValue & { readonly dtype: keyof typeof dataTypes };
  /** Of any type that can be cast to float32. */
  readonly output: Pick<OnnxValue, 'name' | 'dtype'>;
}

export interface Adapted {
  /** Undefined where the file is in this form as it is. */
  readonly bytes: Uint8Array | undefined;
  /** The names of input and output. */
  readonly input: string;
  readonly output: string;
  readonly remarks: readonly string[];
}

/** Fields of ModelProto and GraphProto. */
const GRAPH = 7;
const [NODE, INPUT, OUTPUT] = [1, 11, 12];
/** For a model that names no version of ONNX's operators, as it has none of them. */
const OPSET = 13;

/** A UserError names what cannot be brought to this form. */
export function adapt(bytes: Uint8Array, model: OnnxModel, ends: Ends, path: string): Adapted {
  return ofModel(path, () => adapted(bytes, model, ends, path));
}

function adapted(bytes: Uint8Array, model: OnnxModel, { input, output }: Ends, path: string): Adapted {
  const needed = ancestors(model, [output.name]);
  const { changes, remarks } = evaluationOf(bytes, model, needed, path);
  const isCastIn = input.dtype !== 'float32';
  const isCastOut = output.dtype !== 'float32';
  const isOnly = model.outputs.length === 1 && model.outputs[0]!.name === output.name;
  if (!isCastIn && !isCastOut && isOnly && changes.size === 0) {
    return { bytes: undefined, input: input.name, output: output.name, remarks };
  }
  const fresh = freshNames(model);
  const fed = isCastIn ? fresh(input.name) : input.name;
  const given = isCastOut ? fresh(output.name) : output.name;

  let number = 0;
  const kept = (content: Uint8Array): Uint8Array[] =>
    [...piecesOf(content)].flatMap(({ id, whole, content: inner }) => {
      if (id === OUTPUT || (id === INPUT && isCastIn && !isInitializer(inner!, model))) return [];
      if (id !== NODE) return [whole];
      const own = number++;
      if (!needed.has(own)) return [];
      const change = changes.get(own);
      return change ? field(NODE, [change(inner!)]) : [whole];
    });
  const first = fragment('GraphProto', { node: isCastIn ? [cast(fed, input.name, dataTypes[input.dtype])] : [] });
  const last = fragment('GraphProto', {
    node: isCastOut ? [cast(output.name, given, dataTypes.float32)] : [],
    input: isCastIn ? [valueInfo(fed, input.shape)] : [],
    output: [valueInfo(given, undefined)],
  });
  const pieces = [...piecesOf(bytes)].flatMap(({ id, whole, content }) =>
    id === GRAPH ? field(GRAPH, [first, ...kept(content!), last]) : [whole],
  );
  const imports = model.opsets.has('') ? [] : [{ version: OPSET }];
  pieces.push(fragment('ModelProto', { opsetImport: imports }));
  return { bytes: Buffer.concat(pieces), input: fed, output: given, remarks };
}

/** Models before IR version 4 list their weights among the inputs. */
function isInitializer(valueInfo: Uint8Array, { initializers }: OnnxModel): boolean {
  return initializers.has(read('ValueInfoProto', valueInfo, { name: text }).name[0] ?? '');
}

function cast(from: string, to: string, type: number): object {
  const attribute = [{ name: 'to', type: attributeTypes.int, i: type }];
  return { opType: 'Cast', input: [from], output: [to], attribute };
}

function valueInfo(name: string, shape: OnnxValue['shape']): object {
  const axis = (length: number | string) => {
    if (typeof length === 'number') return { dimValue: length };
    return length === '?' ? {} : { dimParam: length };
  };
  return {
    name,
    type: { tensorType: { elemType: dataTypes.float32, ...(shape && { shape: { dim: shape.map(axis) } }) } },
  };
}

/** Fields of a message, which may stand before or behind others of it. */
function fragment(type: string, message: object): Uint8Array {
  return ModelProto.root.lookupType(type).encode(message).finish();
}

/** A field of some length whose content is these pieces. */
function field(id: number, content: readonly Uint8Array[]): Uint8Array[] {
  const length = content.reduce((sum, piece) => sum + piece.length, 0);
  return [
    Writer.create()
      .uint32((id << 3) | 2)
      .uint32(length)
      .finish(),
    ...content,
  ];
}

function freshNames({ inputs, outputs, nodes, initializers }: OnnxModel): (name: string) => string {
  const values = [...inputs, ...outputs].map(({ name }) => name);
  const taken = new Set([...values, ...initializers.keys(), ...nodes.flatMap((node) => node.outputs)]);
  return (name) => {
    let candidate = `${name}_float32`;
    while (taken.has(candidate)) candidate += "'";
    taken.add(candidate);
    return candidate;
  };
}
