/**
 * The messages of the ONNX format that are needed here, with the field numbers of the ONNX specification
 * (onnx.proto, IR version 8), for protobufjs.
 */
import { Root, type INamespace, type Type } from 'protobufjs';

type Field = readonly [id: number, type: string];

/** A message with its single fields and its repeated ones. */
function message(single: Record<string, Field>, repeated: Record<string, Field> = {}): { fields: object } {
  const fields: Record<string, object> = {};
  for (const [name, [id, type]] of Object.entries(single)) fields[name] = { id, type };
  for (const [name, [id, type]] of Object.entries(repeated)) {
    fields[name] = { id, type, rule: 'repeated', options: { packed: false } };
  }
  return { fields };
}

const messages = {
  ModelProto: message(
    {
      irVersion: [1, 'int64'],
      producerName: [2, 'string'],
      producerVersion: [3, 'string'],
      docString: [6, 'string'],
      graph: [7, 'GraphProto'],
    },
    {
      opsetImport: [8, 'OperatorSetIdProto'],
      metadataProps: [14, 'StringStringEntryProto'],
      functions: [25, 'FunctionProto'],
    },
  ),
  OperatorSetIdProto: message({ domain: [1, 'string'], version: [2, 'int64'] }),
  StringStringEntryProto: message({ key: [1, 'string'], value: [2, 'string'] }),
  GraphProto: message(
    { name: [2, 'string'] },
    {
      node: [1, 'NodeProto'],
      initializer: [5, 'TensorProto'],
      input: [11, 'ValueInfoProto'],
      output: [12, 'ValueInfoProto'],
      valueInfo: [13, 'ValueInfoProto'],
    },
  ),
  FunctionProto: message(
    { name: [1, 'string'], domain: [10, 'string'] },
    { input: [4, 'string'], output: [5, 'string'], node: [7, 'NodeProto'], attributeProto: [11, 'AttributeProto'] },
  ),
  NodeProto: message(
    { name: [3, 'string'], opType: [4, 'string'], domain: [7, 'string'] },
    {
      input: [1, 'string'],
      output: [2, 'string'],
      attribute: [5, 'AttributeProto'],
      metadataProps: [9, 'StringStringEntryProto'],
    },
  ),
  AttributeProto: message(
    {
      name: [1, 'string'],
      f: [2, 'float'],
      i: [3, 'int64'],
      s: [4, 'bytes'],
      t: [5, 'TensorProto'],
      g: [6, 'GraphProto'],
      type: [20, 'int32'],
      refAttrName: [21, 'string'],
    },
    { floats: [7, 'float'], ints: [8, 'int64'], strings: [9, 'bytes'], graphs: [11, 'GraphProto'] },
  ),
  TensorProto: message(
    { dataType: [2, 'int32'], name: [8, 'string'], rawData: [9, 'bytes'], dataLocation: [14, 'int32'] },
    {
      dims: [1, 'int64'],
      floatData: [4, 'float'],
      int32Data: [5, 'int32'],
      int64Data: [7, 'int64'],
      doubleData: [10, 'double'],
      externalData: [13, 'StringStringEntryProto'],
      metadataProps: [16, 'StringStringEntryProto'],
    },
  ),
  ValueInfoProto: message({ name: [1, 'string'], type: [2, 'TypeProto'] }),
  TypeProto: message({
    tensorType: [1, 'TensorTypeProto'],
    sequenceType: [4, 'bytes'],
    mapType: [5, 'bytes'],
    sparseTensorType: [8, 'bytes'],
    optionalType: [9, 'bytes'],
  }),
  TensorTypeProto: message({ elemType: [1, 'int32'], shape: [2, 'TensorShapeProto'] }),
  TensorShapeProto: message({}, { dim: [1, 'DimensionProto'] }),
  DimensionProto: message({ dimValue: [1, 'int64'], dimParam: [2, 'string'] }),
};

/** An ONNX model; `ModelProto.root` has the other messages by name. */
export const ModelProto: Type = Root.fromJSON({ nested: messages } as INamespace).lookupType('ModelProto');

/** TensorProto.DataType: ONNX's numbers of element types. */
export const dataTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const;

/** AttributeProto.AttributeType: ONNX's numbers of the types of attributes. */
export const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const;
