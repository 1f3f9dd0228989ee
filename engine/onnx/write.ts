/** Writing a graph as an ONNX model. */
import { bytesOf, type NdArray } from '../../formats/ndarray';
import type { Attribute, Graph, Node } from '../graph';
import type { Tensor } from '../tensor';
import { attributeTypes, dataTypes, ModelProto } from './proto';

const IR_VERSION = 8;
const OPSET_VERSION = 18;
const MICROSOFT_VERSION = 1;

/** How a graph is written. */
export interface WriteOptions {
  /** Values of states that become constants instead of inputs: a teacher's weights, an exported student's. */
  readonly frozen?: ReadonlyMap<string, NdArray>;
  /** Leaves the first axis of every input and output open, under the name "batch"; false by default. */
  readonly dynamicBatch?: boolean;
  /** Version of ONNX's operator set that the nodes are written in; 18 by default. */
  readonly opset?: number;
  /** Properties of the file, by key. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * The bytes of a ModelProto. Its inputs are the graph's inputs, then the states; its outputs are the graph's outputs, then the
 * new values of states under their names with `'` appended.
 */
export function writeModel(graph: Graph, options: WriteOptions = {}): Uint8Array {
  const { frozen, dynamicBatch = false, opset = OPSET_VERSION, metadata = {} } = options;
  const states = [...graph.states.values()].map((state) => state.tensor);
  const fed = states.filter((tensor) => !frozen?.has(tensor.name));
  // A node's output is written under the name of the result; a second name for it takes an Identity.
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const names = new Map<Tensor, string>();
  const nameOf = (tensor: Tensor) => names.get(tensor) ?? tensor.name;
  const aliases: object[] = [];
  const result = (name: string, tensor: Tensor) => {
    if (made.has(tensor) && !names.has(tensor)) names.set(tensor, name);
    else aliases.push({ name: `output/${name}`, opType: 'Identity', input: [nameOf(tensor)], output: [name] });
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
      ...[...new Set(graph.nodes.map((node) => node.domain))]
        .filter((domain) => domain !== '')
        .map((domain) => ({ domain, version: MICROSOFT_VERSION })),
    ],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: 'distillery',
      node: [...independentFirst(graph.nodes, made).map((node) => nodeProto(node, nameOf)), ...aliases],
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

/** The name of the output that is the new value of a state. */
export function nextName(state: string): string {
  return `${state}'`;
}

/**
 * The nodes that depend on no other before those that do. ONNX Runtime sorts the nodes again and again while it compiles,
 * with a list of those that are ready; where they come last, as what an update makes of the old weights alone, all of them
 * wait in that list and every insertion walks past them.
 */
function independentFirst(nodes: readonly Node[], made: ReadonlySet<Tensor>): Node[] {
  const isIndependent = ({ inputs }: Node) => !inputs.some((input) => input && made.has(input));
  return [...nodes.filter(isIndependent), ...nodes.filter((node) => !isIndependent(node))];
}

function nodeProto(node: Node, nameOf: (tensor: Tensor) => string): object {
  return {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    input: node.inputs.map((input) => (input ? nameOf(input) : '')),
    output: node.outputs.map(nameOf),
    attribute: Object.entries(node.attributes).map(([name, value]) => attributeProto(name, value)),
  };
}

function attributeProto(name: string, value: Attribute): object {
  if (typeof value === 'number') return { name, type: attributeTypes.int, i: value };
  if (typeof value === 'string') return { name, type: attributeTypes.string, s: Buffer.from(value) };
  if ('float' in value) return { name, type: attributeTypes.float, f: value.float };
  return { name, type: attributeTypes.ints, ints: value };
}
