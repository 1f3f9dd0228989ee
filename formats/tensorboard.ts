/**
 * TensorBoard event files: Event messages (tensorflow/core/util/event.proto) in TFRecord frames. Params go into records
 * of the HParams plugin (tensorboard/plugins/hparams/plugin_data.proto), from which TensorBoard collects the params and
 * metrics of several runs by itself.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, openSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Root } from 'protobufjs';
import { makeDirectory, writing } from '../utils/files';
import { settingOf, type Flat, type Scalar } from '../utils/flatten';
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
    Value: {
      oneofs: { value: { oneof: ['simpleValue', 'tensor'] } },
      fields: {
        tag: { id: 1, type: 'string' },
        simpleValue: { id: 2, type: 'float' },
        tensor: { id: 8, type: 'Tensor' },
        metadata: { id: 9, type: 'Metadata' },
      },
    },
    Tensor: { fields: { dtype: { id: 1, type: 'int32' }, shape: { id: 2, type: 'Shape' } } },
    Shape: { fields: { dim: { id: 2, type: 'Dim', rule: 'repeated' } } },
    Dim: { fields: { size: { id: 1, type: 'int64' } } },
    Metadata: { fields: { pluginData: { id: 1, type: 'PluginData' } } },
    // The content is declared as bytes that hold this message, which is the same on the wire.
    PluginData: { fields: { pluginName: { id: 1, type: 'string' }, content: { id: 2, type: 'HParams' } } },
    HParams: {
      fields: {
        version: { id: 1, type: 'int32' },
        sessionStartInfo: { id: 3, type: 'SessionStartInfo' },
        sessionEndInfo: { id: 4, type: 'SessionEndInfo' },
      },
    },
    SessionStartInfo: {
      fields: {
        hparams: { id: 1, type: 'HParam', rule: 'repeated' },
        groupName: { id: 4, type: 'string' },
        startTimeSecs: { id: 5, type: 'double' },
      },
    },
    SessionEndInfo: { fields: { status: { id: 1, type: 'int32' }, endTimeSecs: { id: 2, type: 'double' } } },
    HParam: { fields: { key: { id: 1, type: 'string' }, value: { id: 2, type: 'ParamValue' } } },
    ParamValue: {
      oneofs: { kind: { oneof: ['numberValue', 'stringValue', 'boolValue'] } },
      fields: {
        numberValue: { id: 2, type: 'double' },
        stringValue: { id: 3, type: 'string' },
        boolValue: { id: 4, type: 'bool' },
      },
    },
    SessionLog: { fields: { status: { id: 1, type: 'int32' } } },
  },
}).lookupType('Event');

const sessionStart = 1;
const sessionSucceeded = 1;
/** A record of the HParams plugin consists of metadata; its value is an empty float tensor. */
const noFloats = { dtype: 1, shape: { dim: [{}] } };

/** Writes one event file, each event immediately. Throws a UserError that names the file if it cannot be written. */
export class EventWriter {
  private readonly path: string;
  private readonly file: number;

  /**
   * Opens a new event file in `directory`, which is created if missing. `startStep` is the first step that will be
   * written: TensorBoard discards later steps in earlier files of the directory.
   */
  constructor(directory: string, startStep: number) {
    makeDirectory(directory);
    this.path = join(directory, nameOfNext(directory));
    this.file = writing(this.path, () => openSync(this.path, 'wx'));
    this.write({ fileVersion: 'brain.Event:2' });
    this.write({ step: startStep, sessionLog: { status: sessionStart } });
  }

  /** Writes a value for each tag, such as `train/loss`. */
  scalars(step: number, values: Record<string, number>): void {
    const value = Object.entries(values).map(([tag, simpleValue]) => ({ tag, simpleValue }));
    this.write({ step, summary: { value } });
  }

  /**
   * Records the params with which the run starts or resumes. Runs that differ only in the seed form a group, over which
   * TensorBoard can average. If a directory has several such records, TensorBoard uses the first.
   */
  hparams(step: number, params: Flat): void {
    const hparams = [...params].map(([key, value]) => ({ key, value: paramValue(value) }));
    const groupName = createHash('sha256').update(settingOf(params)).digest('hex').slice(0, 12);
    const sessionStartInfo = { hparams, groupName, startTimeSecs: Date.now() / 1000 };
    this.writeHParams(step, '_hparams_/session_start_info', { sessionStartInfo });
  }

  /** Records that the run has finished. For a run that stops earlier nothing is recorded, since it may be resumed. */
  finished(step: number): void {
    const sessionEndInfo = { status: sessionSucceeded, endTimeSecs: Date.now() / 1000 };
    this.writeHParams(step, '_hparams_/session_end_info', { sessionEndInfo });
  }

  close(): void {
    closeSync(this.file);
  }

  private writeHParams(step: number, tag: string, content: object): void {
    const metadata = { pluginData: { pluginName: 'hparams', content } };
    this.write({ step, summary: { value: [{ tag, tensor: noFloats, metadata }] } });
  }

  private write(event: Record<string, unknown>): void {
    const data = eventType.encode({ wallTime: Date.now() / 1000, ...event }).finish();
    writing(this.path, () => appendFileSync(this.file, record(data)));
  }
}

/**
 * `events.out.tfevents.<seconds>.<host>.<process>`: TensorBoard reads files in the order of their names, so the seconds
 * are later than those of the existing files, even if the clock was set back.
 */
function nameOfNext(directory: string): string {
  const taken = readdirSync(directory).map((name) => Number(/^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0));
  const seconds = Math.max(Math.floor(Date.now() / 1000), 1 + Math.max(0, ...taken));
  return `events.out.tfevents.${String(seconds).padStart(10, '0')}.${hostname()}.${process.pid}`;
}

/** A google.protobuf.Value; empty for null. */
function paramValue(value: Scalar): object {
  if (typeof value === 'number') return { numberValue: value };
  return typeof value === 'boolean' ? { boolValue: value } : { stringValue: value };
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

/** mask(crc) = rotateRight(crc, 15) + 0xa282ead8 mod 2³²: the checksum for data that contains checksums itself. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
