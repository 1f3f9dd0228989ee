/** A graph as the bytes of an ONNX model. */
import { bytesOf, type NdArray } from '../../utils/ndarray';
import type { Attribute, Graph, Node } from '../graph';
import type { Tensor } from '../tensor';
import { attributeTypes, dataTypes, ModelProto } from './proto';

const IR_VERSION = 8;
const OPSET_VERSION = 18;
const MICROSOFT_VERSION = 1;

export interface WriteOptions {
  /** States that become constants instead of inputs: a teacher's weights, an exported student's. */
  readonly frozen?: ReadonlyMap<string, NdArray>;
  /** The first axis of every input and output is left open, under the name "batch". */
  readonly dynamicBatch?: boolean;
  /** Version of ONNX's operator set that the nodes are written in; 18 by default. */
  readonly opset?: number;
  /** What the model says of itself, by key. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Bytes of a ModelProto. Inputs are the graph's inputs, then its states; outputs its outputs, then the new states
 * under their names with `'` appended.
 */
export function writeModel(graph: Graph, options: WriteOptions = {}): Uint8Array {
  const { frozen, dynamicBatch = false, opset = OPSET_VERSION, metadata = {} } = options;
  const states = [...graph.states.values()].map((state) => state.tensor);
  const fed = states.filter((tensor) => !frozen?.has(tensor.name));
  const aliases: object[] = [];
  const result = (name: string, tensor: Tensor) => {
    aliases.push({ name: `output/${name}`, opType: 'Identity', input: [tensor.name], output: [name], attribute: [] });
    return valueInfo(name, tensor);
  };
  const valueInfo = (name: string, tensor: Tensor, open = false) => ({
    name,
    type: {
      tensorType: {
        elemType: dataTypes[tensor.dtype],
        shape: {
          dim: tensor.shape.map((length, axis) => (open && axis === 0 ? { dimParam: 'batch' } : { dimValue: length })),
        },
      },
    },
  });

  const output = [...graph.outputs].map(([name, tensor]) => {
    const info = result(name, tensor);
    return dynamicBatch ? valueInfo(name, tensor, true) : info;
  });
  const newStates = [...graph.updates].map(([name, tensor]) => result(nextName(name), tensor));
  const initializers: [Tensor, NdArray][] = [...graph.constants];
  for (const tensor of states) if (frozen?.has(tensor.name)) initializers.push([tensor, frozen.get(tensor.name)!]);

  const message = {
    irVersion: IR_VERSION,
    producerName: 'distillery',
    opsetImport: [
      { domain: '', version: opset },
      ...(graph.nodes.some((node) => node.domain !== '')
        ? [{ domain: 'com.microsoft', version: MICROSOFT_VERSION }]
        : []),
    ],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: 'distillery',
      node: [...graph.nodes.map(nodeProto), ...aliases],
      initializer: initializers.map(([tensor, array]) => ({
        name: tensor.name,
        dims: tensor.shape,
        dataType: dataTypes[tensor.dtype],
        rawData: bytesOf(array),
      })),
      input: [
        ...[...graph.inputs.values()].map((tensor) => valueInfo(tensor.name, tensor, dynamicBatch)),
        ...fed.map((tensor) => valueInfo(tensor.name, tensor)),
      ],
      output: [...output, ...newStates],
    },
  };
  return ModelProto.encode(message).finish();
}

/** The name under which a step hands back the new value of a state. */
export function nextName(state: string): string {
  return `${state}'`;
}

function nodeProto(node: Node): object {
  return {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    input: node.inputs.map((input) => input?.name ?? ''),
    output: node.outputs.map((output) => output.name),
    attribute: Object.entries(node.attributes).map(([name, value]) => attributeProto(name, value)),
  };
}

function attributeProto(name: string, value: Attribute): object {
  if (typeof value === 'number') return { name, type: attributeTypes.int, i: value };
  if (typeof value === 'string') return { name, type: attributeTypes.string, s: Buffer.from(value) };
  if ('float' in value) return { name, type: attributeTypes.float, f: value.float };
  return { name, type: attributeTypes.ints, ints: value };
}
