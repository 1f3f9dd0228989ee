/**
 * Reads the scalars in TensorBoard event files of any writer: `simple_value` as PyTorch and Lightning write it,
 * one-element tensors as Keras does. Everything after a damaged record of a file is skipped, as in TensorBoard.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { Root } from 'protobufjs';
import { reading } from '../utils/files';
import { crc32c } from './crc32c';

/** Values by tag, each with its step, in the order in which they were written. */
export type Scalars = ReadonlyMap<string, readonly (readonly [step: number, value: number])[]>;

const eventType = Root.fromJSON({
  nested: {
    Event: { fields: { step: { id: 2, type: 'int64' }, summary: { id: 5, type: 'Summary' } } },
    Summary: { fields: { value: { id: 1, type: 'Value', rule: 'repeated' } } },
    Value: {
      oneofs: { value: { oneof: ['simpleValue', 'tensor'] } },
      fields: {
        tag: { id: 1, type: 'string' },
        simpleValue: { id: 2, type: 'float' },
        tensor: { id: 8, type: 'Tensor' },
      },
    },
    Tensor: {
      fields: {
        dtype: { id: 1, type: 'int32' },
        tensorContent: { id: 4, type: 'bytes' },
        floatVal: { id: 5, type: 'float', rule: 'repeated' },
        doubleVal: { id: 6, type: 'double', rule: 'repeated' },
      },
    },
  },
}).lookupType('Event');

interface Event {
  readonly step?: number | { toNumber(): number };
  readonly summary?: { readonly value?: readonly Value[] };
}

interface Value {
  readonly tag?: string;
  readonly value?: 'simpleValue' | 'tensor';
  readonly simpleValue: number;
  readonly tensor?: {
    readonly dtype?: number;
    readonly tensorContent?: Uint8Array;
    readonly floatVal?: readonly number[];
    readonly doubleVal?: readonly number[];
  };
}

/** Longer records hold images and the like, and are skipped. */
const MAX_RECORD = 2 ** 16;
const MAX_VALUES = 1_000_000;
const [FLOAT, DOUBLE] = [1, 2];

/** Reads files in this order. Throws a UserError that names a file that cannot be read. */
export function readScalars(paths: readonly string[]): Scalars {
  const scalars = new Map<string, [number, number][]>();
  let count = 0;
  for (const path of paths) {
    for (const data of recordsOf(path)) {
      let event: Event;
      try {
        event = eventType.decode(data) as Event;
      } catch {
        break;
      }
      for (const value of event.summary?.value ?? []) {
        const number = numberOf(value);
        if (number === undefined || value.tag === undefined || ++count > MAX_VALUES) continue;
        const step = typeof event.step === 'object' ? event.step.toNumber() : (event.step ?? 0);
        const own = scalars.get(value.tag);
        if (own) own.push([step, number]);
        else scalars.set(value.tag, [[step, number]]);
      }
    }
  }
  return scalars;
}

function numberOf({ value, simpleValue, tensor }: Value): number | undefined {
  if (value === 'simpleValue') return simpleValue;
  const { dtype, tensorContent: content, floatVal = [], doubleVal = [] } = tensor ?? {};
  const view = content?.length ? new DataView(content.buffer, content.byteOffset, content.byteLength) : undefined;
  if (dtype === FLOAT) return view?.byteLength === 4 ? view.getFloat32(0, true) : only(floatVal);
  if (dtype === DOUBLE) return view?.byteLength === 8 ? view.getFloat64(0, true) : only(doubleVal);
  return undefined;
}

function only(values: readonly number[]): number | undefined {
  return values.length === 1 ? values[0] : undefined;
}

/** The data of short records (TFRecord: length, its checksum, data, their checksum). */
function* recordsOf(path: string): Generator<Uint8Array> {
  const file = reading(path, () => openSync(path, 'r'));
  try {
    const head = Buffer.alloc(12);
    for (let position = 0; readSync(file, head, 0, 12, position) === 12;) {
      const length = Number(head.readBigUInt64LE(0));
      if (head.readUInt32LE(8) !== masked(head.subarray(0, 8))) return;
      if (length <= MAX_RECORD) {
        const data = Buffer.alloc(length + 4);
        if (readSync(file, data, 0, length + 4, position + 12) < length + 4) return;
        if (data.readUInt32LE(length) !== masked(data.subarray(0, length))) return;
        yield data.subarray(0, length);
      }
      position += length + 16;
    }
  } finally {
    closeSync(file);
  }
}

function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
