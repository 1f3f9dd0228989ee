/**
 * Brings an ONNX model of another program into one form: one float32 input, float32 outputs, evaluation mode, and only the
 * nodes that the outputs depend on. onnxruntime-node cannot be fed float16 or bfloat16, returns them as types that vary
 * with the version of Node, and cannot return sequences at all.
 *
 * Nodes that stay are copied byte for byte, so that fields unknown here survive.
 */
import { evaluationOf } from './evaluation_mode';
import { ancestors } from './nodes';
import { field, fragment, valueInfo } from './pieces';
import { attributeTypes, dataTypes } from './proto';
import { ofModel, type OnnxModel, type OnnxValue } from './read';
import { piecesOf, read, text } from './wire';

/** The input of a model, and those of its values that are used. */
export interface Ends {
  /** The only input that is fed. */
  readonly input: OnnxValue & { readonly dtype: keyof typeof dataTypes };
  /** Their element types must be ones that can be cast to float32. */
  readonly outputs: readonly Pick<OnnxValue, 'name' | 'dtype'>[];
}

/** A model in this form. */
export interface Adapted {
  /** Of the ONNX file; undefined if the original has this form already. */
  readonly bytes: Uint8Array | undefined;
  /** Name of the input. */
  readonly input: string;
  /** Names of the outputs, in the order in which they were asked for. */
  readonly outputs: readonly string[];
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

function adapted(bytes: Uint8Array, model: OnnxModel, { input, outputs }: Ends, path: string): Adapted {
  const names = outputs.map(({ name }) => name);
  const needed = ancestors(model, names);
  const { changes, remarks } = evaluationOf(bytes, model, needed, path);
  const isCastIn = input.dtype !== 'float32';
  const casts = outputs.filter(({ dtype }) => dtype !== 'float32');
  const isOnly = model.outputs.map(({ name }) => name).join('\n') === names.join('\n');
  if (!isCastIn && casts.length === 0 && isOnly && changes.size === 0) {
    return { bytes: undefined, input: input.name, outputs: names, remarks };
  }
  const fresh = freshNames(model);
  const fed = isCastIn ? fresh(input.name) : input.name;
  const given = outputs.map(({ name, dtype }) => (dtype === 'float32' ? name : fresh(name)));

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
    node: casts.map((output) => cast(output.name, given[outputs.indexOf(output)]!, dataTypes.float32)),
    input: isCastIn ? [valueInfo(fed, input.shape)] : [],
    output: given.map((name) => valueInfo(name, undefined)),
  });
  const pieces = [...piecesOf(bytes)].flatMap(({ id, whole, content }) =>
    id === GRAPH ? field(GRAPH, [first, ...kept(content!), last]) : [whole],
  );
  const imports = model.opsets.has('') ? [] : [{ version: OPSET }];
  pieces.push(fragment('ModelProto', { opsetImport: imports }));
  return { bytes: Buffer.concat(pieces), input: fed, outputs: given, remarks };
}

/** Models before IR version 4 list their weights among the inputs. */
function isInitializer(valueInfo: Uint8Array, { initializers }: OnnxModel): boolean {
  return initializers.has(read('ValueInfoProto', valueInfo, { name: text }).name[0] ?? '');
}

function cast(from: string, to: string, type: number): object {
  const attribute = [{ name: 'to', type: attributeTypes.int, i: type }];
  return { opType: 'Cast', input: [from], output: [to], attribute };
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
