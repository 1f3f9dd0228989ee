/** Encodes small images as PNG (ISO/IEC 15948) for embedding in a page: 8 bits per channel, gray or RGB, no filter. */
import { crc32, deflateSync } from 'node:zlib';

const GREY = 0;
const RGB = 2;

/** A data URI of an image of `channels` (1 or 3) planes, each row by row, 0 … 255. */
export function pngDataUri(planes: Uint8Array, [channels, height, width]: readonly [number, number, number]): string {
  if (channels !== 1 && channels !== 3) throw new Error(`png: channels must be 1 or 3, got ${channels}`);
  const stride = 1 + channels * width;
  const rows = Buffer.alloc(height * stride);
  for (let channel = 0; channel < channels; channel++) {
    for (let pixel = 0; pixel < height * width; pixel++) {
      const [row, column] = [Math.floor(pixel / width), pixel % width];
      rows[row * stride + 1 + column * channels + channel] = planes[channel * height * width + pixel]!;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 1 ? GREY : RGB, 0, 0, 0], 8);
  const bytes = Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
  return `data:image/png;base64,${bytes.toString('base64')}`;
}

/** Length, type, data, and the CRC of type and data. */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  crc.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, crc]);
}
