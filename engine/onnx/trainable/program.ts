/**
 * All of an ONNX model that is needed to compute with it: nodes with their attributes, weights with their values, and the
 * functions that it defines put in the place of their calls.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { encodings as numbers, FormatError, quoted } from '../../../formats/binary';
import { sizeOf } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import { reading } from '../../../utils/files';
import { layerOf } from '../layers';
import { ofModel, readModel, type OnnxModel } from '../read';
import { floats, integer, integers, read, submessage, text, type Field } from '../wire';
import { inlined, type FunctionBody } from './inline';
import { literal, type Literal } from './literal';
import type { AttributeValue, ProgramNode } from './node';

/** An initializer of the file. */
export interface Weight {
  readonly literal: Literal;
  /** What the exporter says it is: PARAMETER, BUFFER, CONSTANT_TENSOR. */
  readonly kind: string | undefined;
}

/** A model with all that it says. */
export interface Program {
  readonly path: string;
  /** Version of ONNX's operators. */
  readonly opset: number;
  readonly producer: string;
  readonly inputs: OnnxModel['inputs'];
  readonly outputs: OnnxModel['outputs'];
  readonly nodes: readonly ProgramNode[];
  readonly weights: ReadonlyMap<string, Weight>;
}

/** Where the dynamo-based exporter of PyTorch says what an initializer is. */
const KIND = 'pkg.torch.export.graph_signature.InputSpec.kind';

const EXTERNAL = 1;
/** Values of a list that is not in one piece of bytes; larger ones are, in every exporter. */
const MAX_LISTED = 2 ** 24;
/** Functions in functions. */
const MAX_AXES = 64;

/** How bytes of each TensorProto.DataType are read: numbers by kind, and the size of one. */
const encodings: Readonly<
  Record<number, { kind: Literal['kind']; size: number; decode: (bytes: Uint8Array) => ArrayLike<number> }>
> = {
  1: { kind: 'float', size: 4, decode: (bytes) => new Float32Array(copied(bytes)) },
  2: { kind: 'int', size: 1, decode: (bytes) => bytes },
  3: { kind: 'int', size: 1, decode: (bytes) => new Int8Array(copied(bytes)) },
  6: { kind: 'int', size: 4, decode: (bytes) => new Int32Array(copied(bytes)) },
  7: { kind: 'int', size: 8, decode: (bytes) => Float64Array.from(new BigInt64Array(copied(bytes)), Number) },
  9: { kind: 'bool', size: 1, decode: (bytes) => bytes },
  10: { kind: 'float', size: 2, decode: half('F16') },
  11: { kind: 'float', size: 8, decode: (bytes) => new Float64Array(copied(bytes)) },
  16: { kind: 'float', size: 2, decode: half('BF16') },
};

/** Numbers of 16 bits as float32. */
function half(encoding: 'F16' | 'BF16'): (bytes: Uint8Array) => Float32Array {
  return (bytes) => numbers.get(encoding)!.decode([bytes.length / 2], bytes).data as Float32Array;
}

function copied(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** Reads the bytes of a file. A UserError of one line tells what is damaged or not supported. */
export function readProgram(bytes: Uint8Array, path: string): Program {
  const model = readModel(bytes, path);
  return ofModel(path, () => {
    const fields = read('ModelProto', bytes, { graph: submessage, functions: submessage });
    const files = new Map<string, Uint8Array>();
    const decodeTensor = (field: Field) => tensor(submessage(field), (name) => beside(path, name, files));
    const { node, initializer } = read('GraphProto', fields.graph[0]!, {
      node: (field) => nodeOf(submessage(field), decodeTensor),
      initializer: decodeTensor,
    });
    const bodies = fields.functions.map((content) => functionBody(content, decodeTensor));
    const { opsets, producer, inputs, outputs } = model;
    const weights = new Map(initializer.map(({ name, kind, value }) => [name, { literal: value, kind }]));
    return { path, opset: opsets.get('') ?? 0, producer, inputs, outputs, nodes: inlined(node, bodies), weights };
  });
}

type DecodeTensor = (field: Field) => { name: string; kind: string | undefined; value: Literal };

function functionBody(bytes: Uint8Array, decodeTensor: DecodeTensor): FunctionBody {
  const { name, domain, input, output, node, attributeProto } = read('FunctionProto', bytes, {
    name: text,
    domain: text,
    input: text,
    output: text,
    node: (field) => nodeOf(submessage(field), decodeTensor),
    attributeProto: (field) => attribute(submessage(field), decodeTensor),
  });
  const defaults = new Map(attributeProto.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
  return { name: name[0] ?? '', domain: domain[0] ?? '', inputs: input, outputs: output, nodes: node, defaults };
}

function nodeOf(bytes: Uint8Array, decodeTensor: DecodeTensor): ProgramNode {
  const fields = read('NodeProto', bytes, {
    opType: text,
    domain: text,
    name: text,
    input: text,
    output: text,
    attribute: (field) => attribute(submessage(field), decodeTensor),
    metadataProps: keyValue,
  });
  const [opType = '', domain = '', name = ''] = [fields.opType[0], fields.domain[0], fields.name[0]];
  const { input: inputs, output: outputs, attribute: all } = fields;
  return {
    opType,
    domain: domain === 'ai.onnx' ? '' : domain,
    name,
    inputs,
    outputs,
    attributes: new Map(all.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
    references: new Map(all.flatMap(({ name, reference }) => (reference === undefined ? [] : [[name, reference]]))),
    isControlFlow: all.some(({ isGraph }) => isGraph),
    layer: layerOf(name, new Map(fields.metadataProps)),
  };
}

function attribute(bytes: Uint8Array, decodeTensor: DecodeTensor) {
  const fields = read('AttributeProto', bytes, {
    name: text,
    refAttrName: text,
    type: integer,
    f: (field) => floats(field, 4)[0]!,
    i: integer,
    s: (field) => Buffer.from(submessage(field)).toString('utf8'),
    t: (field) => decodeTensor(field).value,
    floats: (field) => floats(field, 4),
    ints: (field) => integers(field, MAX_LISTED, 'integers'),
    strings: (field) => Buffer.from(submessage(field)).toString('utf8'),
    g: submessage,
    graphs: submessage,
  });
  const { f, i, s, t, strings } = fields;
  const [reals, whole] = [fields.floats.flat(), fields.ints.flat()];
  // Lists may be empty, so that only their type tells what they are.
  const listed = { 6: reals, 7: whole, 8: strings }[fields.type[0] ?? 0];
  const lists =
    listed ?? (reals.length > 0 ? reals : whole.length > 0 ? whole : strings.length > 0 ? strings : undefined);
  const value: AttributeValue | undefined = t[0] ?? i[0] ?? f[0] ?? s[0] ?? lists ?? absent[fields.type[0] ?? 0];
  const isGraph = fields.g.length + fields.graphs.length > 0;
  return { name: fields.name[0] ?? '', value, reference: fields.refAttrName[0], isGraph };
}

/** Values of attributes of these types where the file has none, as protobuf leaves zeros out. */
const absent: Readonly<Record<number, AttributeValue>> = { 1: 0, 2: 0, 3: '' };

function tensor(bytes: Uint8Array, beside: (name: string) => Uint8Array): ReturnType<DecodeTensor> {
  const fields = read('TensorProto', bytes, {
    name: text,
    dataType: integer,
    dims: (field) => integers(field, MAX_AXES, 'axes'),
    rawData: submessage,
    dataLocation: integer,
    externalData: keyValue,
    metadataProps: keyValue,
    floatData: (field) => floats(field, 4),
    doubleData: (field) => floats(field, 8),
    int32Data: (field) => integers(field, MAX_LISTED, 'integers'),
    int64Data: (field) => integers(field, MAX_LISTED, 'integers'),
  });
  const name = fields.name[0] ?? '';
  const shape = fields.dims.flat();
  const type = fields.dataType[0] ?? 0;
  const encoding = encodings[type];
  if (!encoding) throw new FormatError(`${quoted(name)} has the element type ${type}, which cannot be trained`);
  if (shape.some((length) => !Number.isSafeInteger(length) || length < 0)) {
    throw new FormatError(`${quoted(name)} has the shape [${shape.join(', ')}]`);
  }
  const raw =
    fields.dataLocation[0] === EXTERNAL ? external(new Map(fields.externalData), beside, name) : fields.rawData[0];
  const { kind, size, decode } = encoding;
  const expected = sizeOf(shape) * size;
  if (raw && raw.length !== expected) {
    throw new FormatError(`${quoted(name)} must have ${expected} bytes, has ${raw.length}`);
  }
  const listed = () => {
    const { floatData, doubleData, int32Data, int64Data } = fields;
    const numbers =
      [floatData, doubleData, int32Data, int64Data].map((list) => list.flat()).find((list) => list.length > 0) ?? [];
    // Halves are kept as their 16 bits.
    return type === 10 || type === 16 ? decode(new Uint8Array(Uint16Array.from(numbers).buffer)) : numbers;
  };
  const data = raw ? decode(raw) : listed();
  if (data.length !== sizeOf(shape)) {
    throw new FormatError(`${quoted(name)} must have ${sizeOf(shape)} elements, has ${data.length}`);
  }
  return { name, kind: new Map(fields.metadataProps).get(KIND), value: literal(kind, shape, data) };
}

function external(place: ReadonlyMap<string, string>, beside: (name: string) => Uint8Array, name: string): Uint8Array {
  const content = beside(place.get('location') ?? '');
  const offset = Number(place.get('offset') ?? 0);
  const length = Number(place.get('length') ?? content.length - offset);
  const end = offset + length;
  if (!(
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    end <= content.length
  )) {
    throw new FormatError(`the values of ${quoted(name)} are outside the file next to it`);
  }
  return content.subarray(offset, end);
}

/** The bytes of a file in the model's own folder or below it. */
function beside(path: string, name: string, read: Map<string, Uint8Array>): Uint8Array {
  const known = read.get(name);
  if (known) return known;
  const file = join(dirname(path), name);
  const bytes = reading(file, () => {
    const folder = realpathSync(dirname(path));
    if (!realpathSync(file).startsWith(folder + sep)) {
      throw new UserError(`${path}: its weights are in ${quoted(name)}, which is outside its folder`);
    }
    return readFileSync(file);
  });
  read.set(name, bytes);
  return bytes;
}

function keyValue(field: Field): [key: string, value: string] {
  const { key, value } = read('StringStringEntryProto', submessage(field), { key: text, value: text });
  return [key[0] ?? '', value[0] ?? ''];
}
