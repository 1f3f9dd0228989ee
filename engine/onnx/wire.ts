/**
 * Reading protobuf messages field by field (protobuf.dev: "Encoding"). Only the fields that are asked for are decoded, and
 * malformed bytes throw a FormatError where they are met.
 */
import { Reader, type Type } from 'protobufjs';
import { FormatError } from '../../formats/binary';
import { messageOf, UserError } from '../../utils/errors';
import { ModelProto } from './proto';

/** A field on the wire. */
export interface Field {
  /** How its value is encoded. */
  readonly wireType: number;
  /** Positioned at the value. */
  readonly reader: Reader;
}

/** Decodes the value of a field; throws if it has another wire type. */
export type Decode<T> = (field: Field) => T;

/** The longest list that a message may have; the largest models have some ten thousand nodes. */
const MAX_ENTRIES = 2 ** 18;

/** Decodes a message of this type: all values of each named field, in their order; other fields are skipped. */
export function read<F extends Record<string, Decode<unknown>>>(
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
    if (error instanceof FormatError || error instanceof UserError) throw error;
    throw new FormatError(`${typeName}: ${messageOf(error)}`);
  }
  return lists as { [K in keyof F]: ReturnType<F[K]>[] };
}

/** The fields of a message in their order: number, all bytes and, if length-delimited, content. */
export function* piecesOf(bytes: Uint8Array): Generator<{ id: number; whole: Uint8Array; content?: Uint8Array }> {
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.tag();
    const [id, wireType] = [tag >>> 3, tag & 7];
    if (wireType === LENGTH_DELIMITED) {
      const content = reader.bytes();
      yield { id, whole: bytes.subarray(start, reader.pos), content };
    } else {
      reader.skipType(wireType, 0, id);
      yield { id, whole: bytes.subarray(start, reader.pos) };
    }
  }
}

const [VARINT, FIXED64, FIXED32] = [0, 1, 5];
/** The wire type of strings, bytes, messages and packed lists. */
const LENGTH_DELIMITED = 2;

function expectWireType({ wireType }: Field, expected: number): void {
  if (wireType !== expected) throw new Error(`wire type ${wireType} instead of ${expected}`);
}

/** The bytes of a message or of a bytes field. */
export function submessage(field: Field): Uint8Array {
  expectWireType(field, LENGTH_DELIMITED);
  return field.reader.bytes();
}

/** A string; throws if it is not valid UTF-8. */
export function text(field: Field): string {
  expectWireType(field, LENGTH_DELIMITED);
  return field.reader.stringVerify();
}

/** An integer of up to 64 bits, rounded to the nearest double. */
export function integer(field: Field): number {
  expectWireType(field, VARINT);
  return int64(field.reader);
}

/** One integer or a packed list of up to `most`; throws a FormatError about too many `what`. */
export function integers(field: Field, most: number, what: string): number[] {
  if (field.wireType !== LENGTH_DELIMITED) return [integer(field)];
  const reader = Reader.create(field.reader.bytes());
  const values: number[] = [];
  while (reader.pos < reader.len) {
    if (values.push(int64(reader)) > most) throw new FormatError(`more than ${most} ${what}`);
  }
  return values;
}

/** Floating-point numbers of `bytes` bytes each: one, or several packed ones. */
export function floats(field: Field, bytes: 4 | 8): number[] {
  const [one, packed] = [bytes === 4 ? FIXED32 : FIXED64, field.wireType === LENGTH_DELIMITED];
  if (!packed) {
    expectWireType(field, one);
    return [bytes === 4 ? field.reader.float() : field.reader.double()];
  }
  const content = field.reader.bytes();
  if (content.length % bytes !== 0) throw new FormatError(`${content.length} bytes of numbers of ${bytes} bytes`);
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const at = (i: number) => (bytes === 4 ? view.getFloat32(4 * i, true) : view.getFloat64(8 * i, true));
  return Array.from({ length: content.length / bytes }, (_, i) => at(i));
}

function int64(reader: Reader): number {
  const { high, low } = reader.int64();
  return high * 2 ** 32 + (low >>> 0);
}
