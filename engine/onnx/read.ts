/**
 * Reads the structure of an ONNX model (onnx.ai: "Open Neural Network Exchange Intermediate Representation"): inputs, outputs,
 * nodes, the shapes of its weights. Values of weights and attributes are skipped, and malformed bytes are refused where they
 * are met, so that memory stays within a few times the file's size whatever the file holds.
 */
import { FormatError, quoted } from '../../formats/binary';
import { UserError } from '../../utils/errors';
import { layerOf } from './layers';
import { integer, integers, read, submessage, text, type Decode, type Field } from './wire';

/** The structure of a model. */
export interface OnnxModel {
  /** Version of the file format. */
  readonly irVersion: number;
  /** Version of each operator set, by domain; '' is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Name and version of the program that wrote it. */
  readonly producer: string;
  /** Properties that the exporter wrote, by key. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What has to be fed: the graph's inputs without those that have an initializer. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  /** The nodes in the bodies of functions that the model defines. */
  readonly functionNodes: readonly OnnxNode[];
  /** Weights and constants by name. */
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
}

/** An initializer without its values. */
interface OnnxTensor {
  /** NumPy's name of the element type: float32, float16, bfloat16, int64, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The file that holds the values, relative to the model; absent if the model itself does. */
  readonly file?: string;
}

/** An input or an output. */
export interface OnnxValue {
  readonly name: string;
  /** NumPy's name of a tensor's element type; "sequence", "map", … for other kinds, "unknown" if the file does not say. */
  readonly dtype: string;
  /** Lengths, or the names of open axes ('?' for one without a name); undefined if even the rank is open. */
  readonly shape: readonly (number | string)[] | undefined;
}

/** A call of an operator, without most of its attributes. */
export interface OnnxNode {
  readonly opType: string;
  readonly domain: string;
  readonly name: string;
  /** An omitted optional input is ''. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The path of the module that makes it, such as `layer4.2.relu`, as far as the exporter tells. */
  readonly layer?: string;
  /** Integer attributes, of BatchNormalization only: whether it is in training mode. */
  readonly integers?: Readonly<Record<string, number>>;
  /** The order of axes, of Transpose only. */
  readonly perm?: readonly number[];
  /** Graphs among its attributes, such as the branches of If. */
  readonly bodies?: readonly OnnxBody[];
}

/** A graph inside a node; it may read values outside of it. */
interface OnnxBody {
  readonly nodes: readonly OnnxNode[];
  readonly outputs: readonly string[];
}

/** Names of TensorProto.DataType, from 0. */
const dataTypeNames = (
  'undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 ' +
  'complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2'
).split(' ');

/** TensorProto.DataLocation of a tensor whose values are in another file. */
const EXTERNAL = 1;

const MAX_AXES = 64;
/** Integers of one attribute. */
const MAX_INTEGERS = 2 ** 24;
/** The length of an open axis, as some exporters write it. */
const OPEN = -1;
/** Deepest nesting of graphs. */
const MAX_DEPTH = 16;

/** Fields of TypeProto for values that are not tensors, and what they are called. */
const otherKinds = {
  sequenceType: 'sequence',
  mapType: 'map',
  sparseTensorType: 'sparse tensor',
  optionalType: 'optional',
} as const;

/** Reads the bytes of a ModelProto; `path` is for messages. Throws a one-line UserError that says what is damaged. */
export function readModel(bytes: Uint8Array, path: string): OnnxModel {
  return ofModel(path, () => model(bytes));
}

/** Calls `read` and turns a FormatError into a UserError that names the file. */
export function ofModel<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) throw new UserError(`${path}: not a valid ONNX model: ${error.message}`);
    throw error;
  }
}

/** The raw bytes of initializers (little endian), by name, as views of the bytes of a model that `readModel` accepts. */
export function rawValues(bytes: Uint8Array): Map<string, Uint8Array> {
  const graphs = read('ModelProto', bytes, { graph: submessage }).graph;
  const { initializer } = read('GraphProto', graphs[0]!, {
    initializer: (field) => read('TensorProto', submessage(field), { name: text, rawData: submessage }),
  });
  return new Map(initializer.flatMap(({ name, rawData }) => rawData.map((raw) => [name[0]!, raw] as const)));
}

function model(bytes: Uint8Array): OnnxModel {
  const fields = read('ModelProto', bytes, {
    irVersion: integer,
    producerName: text,
    producerVersion: text,
    graph: submessage,
    opsetImport: (field) => read('OperatorSetIdProto', submessage(field), { domain: text, version: integer }),
    metadataProps: keyValue,
    functions: (field) => read('FunctionProto', submessage(field), { node: nodeField }).node,
  });
  const [irVersion] = fields.irVersion;
  const [graphBytes] = fields.graph;
  if (irVersion === undefined) throw new FormatError('it has no IR version');
  if (graphBytes === undefined) throw new FormatError('it has no graph');
  if (fields.graph.length > 1) throw new FormatError('it has two graphs');
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
  const [metadata, functionNodes] = [new Map(fields.metadataProps), fields.functions.flat()];
  return { irVersion, opsets, producer, metadata, functionNodes, ...graph };
}

function graphOf(bytes: Uint8Array): Pick<OnnxModel, 'inputs' | 'outputs' | 'nodes' | 'initializers'> {
  const graph = read('GraphProto', bytes, {
    node: nodeField,
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

const nodeField: Decode<OnnxNode> = (field) => node(submessage(field), 0);

function node(bytes: Uint8Array, depth: number): OnnxNode {
  const { opType, domain, name, input, output, attribute, metadataProps } = read('NodeProto', bytes, {
    opType: text,
    domain: text,
    name: text,
    input: text,
    output: text,
    attribute: (field) =>
      read('AttributeProto', submessage(field), {
        name: text,
        i: integer,
        ints: (inner) => integers(inner, MAX_INTEGERS, 'integers'),
        g: (inner) => body(submessage(inner), depth + 1),
        graphs: (inner) => body(submessage(inner), depth + 1),
      }),
    metadataProps: keyValue,
  });
  if (!opType[0]) throw new FormatError(`node ${quoted(name[0] ?? '')} has no operator`);
  const bodies = attribute.flatMap(({ g, graphs }) => [...g, ...graphs]);
  const numbers = attribute.flatMap(({ name, i }) => i.map((value) => [name[0] ?? '', value] as const));
  const layer = layerOf(name[0] ?? '', new Map(metadataProps));
  const perm = opType[0] === 'Transpose' && attribute.find((one) => one.name[0] === 'perm')?.ints.flat();
  return {
    opType: opType[0],
    domain: domainOf(domain[0]),
    name: name[0] ?? '',
    inputs: input,
    outputs: output,
    ...(layer !== undefined && { layer }),
    ...(perm && { perm }),
    ...(opType[0] === 'BatchNormalization' && numbers.length > 0 && { integers: Object.fromEntries(numbers) }),
    ...(bodies.length > 0 && { bodies }),
  };
}

function body(bytes: Uint8Array, depth: number): OnnxBody {
  if (depth > MAX_DEPTH) throw new FormatError(`graphs are nested more than ${MAX_DEPTH} deep`);
  const { node: nodes, output } = read('GraphProto', bytes, {
    node: (field) => node(submessage(field), depth),
    output: (field) => read('ValueInfoProto', submessage(field), { name: text }).name[0] ?? '',
  });
  return { nodes, outputs: output };
}

function initializer(bytes: Uint8Array): [name: string, tensor: OnnxTensor] {
  const { name, dataType, dims, dataLocation, externalData } = read('TensorProto', bytes, {
    name: text,
    dataType: integer,
    dims: (field) => integers(field, MAX_AXES, 'axes'),
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
  const { name: names, type: typeBytes } = read('ValueInfoProto', bytes, { name: text, type: submessage });
  const [name] = names;
  if (!name) throw new FormatError('an input or output has no name');
  const type = typeBytes[0] ?? new Uint8Array();
  const { tensorType } = read('TypeProto', type, { tensorType: submessage });
  if (!tensorType[0]) return { name, dtype: otherKind(type), shape: undefined };
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
      dimValue[0] === undefined || dimValue[0] === OPEN ? dimParam[0] || '?' : axisLength(name, dimValue[0]),
    ),
  };
}

function otherKind(type: Uint8Array): string {
  const names = Object.keys(otherKinds) as (keyof typeof otherKinds)[];
  const found = read('TypeProto', type, Object.fromEntries(names.map((name) => [name, submessage])));
  const kind = names.find((name) => found[name]!.length > 0);
  return kind ? otherKinds[kind] : 'unknown';
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

function keyValue(field: Field): [key: string, value: string] {
  const { key, value } = read('StringStringEntryProto', submessage(field), { key: text, value: text });
  return [key[0] ?? '', value[0] ?? ''];
}
