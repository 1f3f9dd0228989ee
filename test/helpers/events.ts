/** Event files of TensorBoard, read by the rules of their formats and not by our writer's. */
import { expect } from 'chai';

/** CRC-32C bit by bit, as the remainder of a polynomial division. */
function crcOf(bytes: Uint8Array): bigint {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? 0x82f63b78n : 0n);
  }
  return crc ^ 0xffffffffn;
}

function maskedCrcOf(bytes: Uint8Array): number {
  const crc = crcOf(bytes);
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

/** The data of the TFRecords in a file. */
export function recordsOf(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    expect(file.readUInt32LE(at + 8)).to.equal(maskedCrcOf(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(data).to.have.lengthOf(length);
    expect(file.readUInt32LE(at + 12 + length)).to.equal(maskedCrcOf(data));
    records.push(data);
    at += length + 16;
  }
  return records;
}

/** The fields of a protobuf message, [number, value]: a varint or double as a number, bytes as they are. */
export function fieldsOf(message: Buffer): [number, number | Buffer][] {
  const fields: [number, number | Buffer][] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const [field, wireType] = [tag >> 3, tag & 7];
    if (wireType === 0) fields.push([field, varint()]);
    else if (wireType === 1) fields.push([field, message.readDoubleLE((at += 8) - 8)]);
    else if (wireType === 5) fields.push([field, message.readFloatLE((at += 4) - 4)]);
    else {
      const length = varint();
      fields.push([field, message.subarray(at, (at += length))]);
    }
  }
  return fields;
}

/** An Event of tensorflow/core/util/event.proto. */
export function eventOf(data: Buffer) {
  const fields = new Map(fieldsOf(data));
  const summary = fields.get(5) as Buffer | undefined;
  const session = fields.get(7) as Buffer | undefined;
  return {
    wallTime: fields.get(1) as number,
    step: fields.get(2) ?? 0,
    version: fields.get(3)?.toString(),
    session: session && fieldsOf(session),
    scalars:
      summary &&
      fieldsOf(summary).map(([field, value]) => {
        expect(field).to.equal(1);
        const [tag, scalar] = fieldsOf(value as Buffer);
        expect([tag![0], scalar![0]]).to.deep.equal([1, 2]);
        return [tag![1].toString(), scalar![1]];
      }),
  };
}
