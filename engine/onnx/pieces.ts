/** Parts of ONNX messages, encoded, to be put among the bytes of a model. */
import { Writer } from 'protobufjs';
import { dataTypes, ModelProto } from './proto';
import type { OnnxValue } from './read';

/** An encoded part of a message; parts of one message may be concatenated in any order. */
export function fragment(type: string, message: object): Uint8Array {
  return ModelProto.root.lookupType(type).encode(message).finish();
}

/** A length-delimited field whose content is these pieces. */
export function field(id: number, content: readonly Uint8Array[]): Uint8Array[] {
  const length = content.reduce((sum, piece) => sum + piece.length, 0);
  return [
    Writer.create()
      .uint32((id << 3) | 2)
      .uint32(length)
      .finish(),
    ...content,
  ];
}

/** An input or an output, as a ValueInfoProto to be encoded. */
export function valueInfo(name: string, shape: OnnxValue['shape'], dtype: keyof typeof dataTypes = 'float32'): object {
  const axis = (length: number | string) => {
    if (typeof length === 'number') return { dimValue: length };
    return length === '?' ? {} : { dimParam: length };
  };
  return {
    name,
    type: { tensorType: { elemType: dataTypes[dtype], ...(shape && { shape: { dim: shape.map(axis) } }) } },
  };
}
