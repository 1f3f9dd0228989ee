/**
 * What an ONNX model (onnx.ai: "Open Neural Network Exchange Intermediate Representation") says of itself: what it is
 * fed and gives, its nodes, the shapes of its weights. Values of weights and attributes are skipped, and whatever is
 * malformed is refused where it is met, so that memory stays within a few times the file's size whatever the bytes.
 */
import { Reader, type Type } from 'protobufjs';
import { FormatError, quoted } from '../../utils/binary';
import { messageOf, UserError } from '../../utils/errors';
import { ModelProto } from './proto';

export interface OnnxModel {
  readonly irVersion: number;
  /** Version of the operator set by domain; '' is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Name and version of the program that wrote it. */
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** What has to be fed: the graph's inputs, without those that an initializer gives. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  /** Weights and constants by name. */
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
}

export interface OnnxTensor {
  /** As NumPy calls it: float32, float16, bfloat16, int64, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The file that holds the values, relative to the model, where they are not in the model itself. */
  readonly file?: string;
}

export interface OnnxValue {
  readonly name: string;
  readonly dtype: string;
  /** Lengths, or the names of open axes ('?' for one without a name); undefined where even the rank is open. */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface OnnxNode {
  readonly opType: string;
  readonly domain: string;
  readonly name: string;
  /** An omitted optional input is ''. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Names of TensorProto.DataType, from 0. */
const dataTypeNames = (
  'undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 ' +
  'complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2'
).split(' ');

/** TensorProto.DataLocation of a tensor whose values are in another file. */
const EXTERNAL = 1;

/** No list of a message may be longer; the largest models have some ten thousand nodes. */
const MAX_ENTRIES = 2 ** 18;
const MAX_AXES = 64;

/**
 * Reads the bytes of a ModelProto; `path` is for messages. A UserError of one line tells what is damaged, or that an
 * input or output is not a tensor, which is not supported here.
 */
export function readModel(bytes: Uint8Array, path: string): OnnxModel {
  try {
    return model(bytes);
  } catch (error) {
    if (error instanceof FormatError) throw new UserError(`${path}: not a valid ONNX model: ${error.message}`);
    if (error instanceof Unsupported) throw new UserError(`${path}: ${error.message}`);
    throw error;
  }
}

/** The values of initializers by name, little endian, as they lie in the bytes of a model that `readModel` accepts. */
export function rawValues(bytes: Uint8Array): Map<string, Uint8Array> {
  const graphs = read('ModelProto', bytes, { graph: submessage }).graph;
  const { initializer } = read('GraphProto', graphs[0]!, {
    initializer: (field) => read('TensorProto', submessage(field), { name: text, rawData: submessage }),
  });
  return new Map(initializer.flatMap(({ name, rawData }) => rawData.map((raw) => [name[0]!, raw] as const)));
}

class Unsupported extends Error {}

function model(bytes: Uint8Array): OnnxModel {
  const fields = read('ModelProto', bytes, {
    irVersion: integer,
    producerName: text,
    producerVersion: text,
    graph: submessage,
    opsetImport: (field) => read('OperatorSetIdProto', submessage(field), { domain: text, version: integer }),
    metadataProps: keyValue,
  });
  const [irVersion] = fields.irVersion;
  const [graphBytes] = fields.graph;
  if (irVersion === undefined) throw new FormatError('it has no IR version');
  if (graphBytes === undefined) throw new FormatError('it has no graph');
  const opsets = new Map(fields.opsetImport.map(({ domain, version }) => [domainOf(domain[0]), version[0] ?? 0]));
  const graph = graphOf(graphBytes);
  for (const { name, opType, domain } of graph.nodes) {
    if (!opsets.has(domain)) {
      throw new FormatError(
        `node ${quoted(name)} (${quoted(opType)}) needs the domain ${quoted(domain)}, not imported`,
      );
    }
  }
  const producer = [...fields.producerName.slice(0, 1), ...fields.producerVersion.slice(0, 1)].join(' ');
  return { irVersion, opsets, producer, metadata: new Map(fields.metadataProps), ...graph };
}

function graphOf(bytes: Uint8Array): Pick<OnnxModel, 'inputs' | 'outputs' | 'nodes' | 'initializers'> {
  const graph = read('GraphProto', bytes, {
    node: (field) => node(submessage(field)),
    initializer: (field) => initializer(submessage(field)),
    input: (field) => value(submessage(field)),
    output: (field) => value(submessage(field)),
  });
  const initializers = new Map(graph.initializer);
  if (initializers.size < graph.initializer.length) throw new FormatError('two initializers have the same name');
  return {
    inputs: graph.input.filter(({ name }) => !initializers.has(name)),
    outputs: graph.output,
    nodes: graph.node,
    initializers,
  };
}

function node(bytes: Uint8Array): OnnxNode {
  const { opType, domain, name, input, output } = read('NodeProto', bytes, {
    opType: text,
    domain: text,
    name: text,
    input: text,
    output: text,
  });
  if (!opType[0]) throw new FormatError(`node ${quoted(name[0] ?? '')} has no operator`);
  return { opType: opType[0], domain: domainOf(domain[0]), name: name[0] ?? '', inputs: input, outputs: output };
}

function initializer(bytes: Uint8Array): [name: string, tensor: OnnxTensor] {
  const { name, dataType, dims, dataLocation, externalData } = read('TensorProto', bytes, {
    name: text,
    dataType: integer,
    dims: axes,
    dataLocation: integer,
    externalData: keyValue,
  });
  if (!name[0]) throw new FormatError('an initializer has no name');
  const dtype = dataTypeName(name[0], dataType[0]);
  const shape = dims.flat().map((length) => axisLength(name[0]!, length));
  const file = dataLocation[0] === EXTERNAL ? (new Map(externalData).get('location') ?? '') : undefined;
  return [name[0], { dtype, shape, ...(file !== undefined && { file }) }];
}

function value(bytes: Uint8Array): OnnxValue {
  const { name: names, type } = read('ValueInfoProto', bytes, { name: text, type: submessage });
  const [name] = names;
  if (!name) throw new FormatError('an input or output has no name');
  const { tensorType } = read('TypeProto', type[0] ?? new Uint8Array(), { tensorType: submessage });
  if (!tensorType[0]) throw new Unsupported(`${quoted(name)} is not a tensor; accepted are tensors only`);
  const { elemType, shape } = read('TensorTypeProto', tensorType[0], { elemType: integer, shape: submessage });
  const dtype = dataTypeName(name, elemType[0]);
  if (!shape[0]) return { name, dtype, shape: undefined };
  const { dim } = read('TensorShapeProto', shape[0], {
    dim: (field) => read('DimensionProto', submessage(field), { dimValue: integer, dimParam: text }),
  });
  return {
    name,
    dtype,
    shape: dim.map(({ dimValue, dimParam }) =>
      dimValue[0] === undefined ? dimParam[0] || '?' : axisLength(name, dimValue[0]),
    ),
  };
}

/** ONNX's own domain has two names. */
function domainOf(domain = ''): string {
  return domain === 'ai.onnx' ? '' : domain;
}

function dataTypeName(name: string, code = 0): string {
  const dtype = dataTypeNames[code];
  if (code === 0 || dtype === undefined) throw new FormatError(`${quoted(name)} has the unknown element type ${code}`);
  return dtype;
}

function axisLength(name: string, length: number): number {
  if (!Number.isSafeInteger(length) || length < 0) throw new FormatError(`${quoted(name)} has an axis of ${length}`);
  return length;
}

/** A field on the wire: how its value is encoded, and the reader that stands before that value. */
interface Field {
  readonly wireType: number;
  readonly reader: Reader;
}

type Decode<T> = (field: Field) => T;

/** All values of each named field of a message, in their order; other fields are skipped. */
function read<F extends Record<string, Decode<unknown>>>(
  typeName: string,
  bytes: Uint8Array,
  decoders: F,
): { [K in keyof F]: ReturnType<F[K]>[] } {
  const type: Type = ModelProto.root.lookupType(typeName);
  const lists = Object.fromEntries(Object.keys(decoders).map((name) => [name, [] as unknown[]]));
  const reader = Reader.create(bytes);
  try {
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      const [id, wireType] = [tag >>> 3, tag & 7];
      const name = type.fieldsById[id]?.name;
      const list = name === undefined ? undefined : lists[name];
      if (!list) {
        reader.skipType(wireType, 0, id);
      } else if (list.push(decoders[name!]!({ wireType, reader })) > MAX_ENTRIES) {
        throw new FormatError(`more than ${MAX_ENTRIES} entries in ${name}`);
      }
    }
  } catch (error) {
    if (error instanceof FormatError || error instanceof Unsupported) throw error;
    throw new FormatError(`${typeName}: ${messageOf(error)}`);
  }
  return lists as { [K in keyof F]: ReturnType<F[K]>[] };
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;

function expectWireType({ wireType }: Field, expected: number): void {
  if (wireType !== expected) throw new Error(`wire type ${wireType} instead of ${expected}`);
}

function submessage(field: Field): Uint8Array {
  expectWireType(field, LENGTH_DELIMITED);
  return field.reader.bytes();
}

function text(field: Field): string {
  expectWireType(field, LENGTH_DELIMITED);
  return field.reader.stringVerify();
}

function integer(field: Field): number {
  expectWireType(field, VARINT);
  return int64(field.reader);
}

/** The lengths of axes: one, or several packed ones. */
function axes(field: Field): number[] {
  if (field.wireType !== LENGTH_DELIMITED) return [integer(field)];
  const reader = Reader.create(field.reader.bytes());
  const lengths: number[] = [];
  while (reader.pos < reader.len) {
    if (lengths.push(int64(reader)) > MAX_AXES) throw new FormatError(`more than ${MAX_AXES} axes`);
  }
  return lengths;
}

function int64(reader: Reader): number {
  const { high, low } = reader.int64();
  return high * 2 ** 32 + (low >>> 0);
}

function keyValue(field: Field): [key: string, value: string] {
  const { key, value } = read('StringStringEntryProto', submessage(field), { key: text, value: text });
  return [key[0] ?? '', value[0] ?? ''];
}
