/**
 * Brings an ONNX model of another program into one form: one float32 input, one float32 output, evaluation mode, and only
 * the nodes that the output depends on. onnxruntime-node cannot be fed float16 or bfloat16, returns them as types that vary
 * with the version of Node, and cannot return sequences at all.
 *
 * Nodes that stay are copied byte for byte, so that fields unknown here survive.
 */
import { Writer } from 'protobufjs';
import { evaluationOf } from './evaluation_mode';
import { ancestors } from './nodes';
import { attributeTypes, dataTypes, ModelProto } from './proto';
import { ofModel, type OnnxModel, type OnnxValue } from './read';
import { piecesOf, read, text } from './wire';

/** The input and the output of a model that are used. */
export interface Ends {
  /** The only input that is fed. */
  readonly input: OnnxValue & { readonly dtype: keyof typeof dataTypes };
  /** Its element type must be one that can be cast to float32. */
  readonly output: Pick<OnnxValue, 'name' | 'dtype'>;
}

/** A model in this form. */
export interface Adapted {
  /** Of the ONNX file; undefined if the original has this form already. */
  readonly bytes: Uint8Array | undefined;
  /** Name of the input. */
  readonly input: string;
  /** Name of the output. */
  readonly output: string;
  /** What was changed that the user should know, one sentence each. */
  readonly remarks: readonly string[];
}

/** Fields of ModelProto and GraphProto. */
const GRAPH = 7;
const [NODE, INPUT, OUTPUT] = [1, 11, 12];
/** Opset for a model that imports none of ONNX's own, as it uses none of its operators. */
const OPSET = 13;

/** Brings the model with these bytes, read as `model`, into this form. Throws a UserError that names what prevents it. */
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

/** An encoded part of a message; parts of one message may be concatenated in any order. */
function fragment(type: string, message: object): Uint8Array {
  return ModelProto.root.lookupType(type).encode(message).finish();
}

/** A length-delimited field whose content is these pieces. */
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
