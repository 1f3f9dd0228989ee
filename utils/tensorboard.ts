/** TensorBoard event files: Event messages (tensorflow/core/util/event.proto) in TFRecord frames. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Root } from 'protobufjs';
import { crc32c } from './crc32c';

const eventType = Root.fromJSON({
  nested: {
    Event: {
      fields: {
        wallTime: { id: 1, type: 'double' },
        step: { id: 2, type: 'int64' },
        fileVersion: { id: 3, type: 'string' },
        summary: { id: 5, type: 'Summary' },
        sessionLog: { id: 7, type: 'SessionLog' },
      },
    },
    Summary: { fields: { value: { id: 1, type: 'Value', rule: 'repeated' } } },
    Value: { fields: { tag: { id: 1, type: 'string' }, simpleValue: { id: 2, type: 'float' } } },
    SessionLog: { fields: { status: { id: 1, type: 'int32' } } },
  },
}).lookupType('Event');

const sessionStart = 1;
let filesOpened = 0;

/** Writes one event file, each event at once. */
export class EventWriter {
  private readonly file: number;

  /**
   * Opens a new event file in `directory`, which is made where it is missing. `startStep` is the first step that will
   * be written: TensorBoard drops what earlier files of the directory hold from there on.
   */
  constructor(directory: string, startStep: number) {
    mkdirSync(directory, { recursive: true });
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0');
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${filesOpened++}`;
    this.file = openSync(join(directory, name), 'wx');
    this.write({ fileVersion: 'brain.Event:2' });
    this.write({ step: startStep, sessionLog: { status: sessionStart } });
  }

  /** Writes a value for each tag, such as `train/loss`. */
  scalars(step: number, values: Record<string, number>): void {
    const value = Object.entries(values).map(([tag, simpleValue]) => ({ tag, simpleValue }));
    this.write({ step, summary: { value } });
  }

  close(): void {
    closeSync(this.file);
  }

  private write(event: Record<string, unknown>): void {
    const data = eventType.encode({ wallTime: Date.now() / 1000, ...event }).finish();
    writeSync(this.file, record(data));
  }
}

/** A TFRecord: length (uint64), its checksum, the data, their checksum; numbers are little-endian. */
function record(data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(data.length + 16);
  bytes.writeBigUInt64LE(BigInt(data.length), 0);
  bytes.writeUInt32LE(maskedCrc(bytes.subarray(0, 8)), 8);
  bytes.set(data, 12);
  bytes.writeUInt32LE(maskedCrc(data), data.length + 12);
  return bytes;
}

/** mask(crc) = rotateRight(crc, 15) + 0xa282ead8 mod 2³²: the checksum of data that hold checksums themselves. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
