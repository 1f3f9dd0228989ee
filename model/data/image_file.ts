/** An image file as training wants it: upright, sRGB, on white where it is transparent, its first frame, small enough. */
import { stat } from 'node:fs/promises';
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { messageOf } from '../../utils/errors';
import type { Region } from './dataset';

/** Pixels in rows, red, green and blue side by side. */
export interface Picture {
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** What is decoded; what a file holds is told by its bytes, not by its name. */
const FORMATS = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];
const MAX_PIXELS = 2 ** 28;
/** Longer images lose their ends. */
const MAX_RELATION = 4;
/** Part of the name of what is kept on disk: another decoder may round otherwise. */
export const DECODER = `sharp ${sharp.versions.sharp}`;

// No other reader sees a file, also not to look what it is: that of SVG would read XML.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map((kind) => `VipsForeignLoad${kind}`) });
// A thread an image: there are always several at a time.
sharp.concurrency(1);
sharp.cache(false);

/** Decodes a file and brings its shorter side to `side` pixels. Throws an Error with the reason where that fails. */
export async function decode(path: string, side: number): Promise<Picture> {
  return pictureOf(await prepared(path, side));
}

/** The same into a file that `readRegion` reads fast. */
export async function decodeInto(path: string, side: number, target: string): Promise<Omit<Picture, 'pixels'>> {
  const { height, width } = await (await prepared(path, side)).tiff({ compression: 'none' }).toFile(target);
  return { height, width };
}

/** A region of a picture, or of a file that `decodeInto` wrote, as pixels of `side` × `side`. */
export async function readRegion(
  source: string | Picture,
  { left, top, width, height }: Region,
  side: number,
): Promise<Uint8Array> {
  const image =
    typeof source === 'string'
      ? await opened(source)
      : sharp(source.pixels, { raw: { width: source.width, height: source.height, channels: 3 } });
  const part = image.extract({ left, top, width, height });
  const { pixels } = await pictureOf(
    width === side && height === side ? part : part.resize(side, side, { fit: 'fill', kernel: 'linear' }),
  );
  return pixels;
}

/** The reader of a regular file: a pipe would hold one of its threads for ever. */
async function opened(path: string, options?: SharpOptions): Promise<Sharp> {
  if (!(await stat(path)).isFile()) throw new Error('not a regular file');
  return sharp(path, options);
}

async function prepared(path: string, side: number): Promise<Sharp> {
  const image = await opened(path, { failOn: 'error', limitInputPixels: false });
  const { format, width: storedWidth, height: storedHeight, autoOrient } = await image.metadata();
  if (!FORMATS.includes(format)) throw new Error(`it is ${format}, accepted are ${FORMATS.join(', ')}`);
  if (storedWidth * storedHeight > MAX_PIXELS) {
    throw new Error(`it has ${storedWidth} × ${storedHeight} pixels, accepted are ${MAX_PIXELS} in all`);
  }
  const { width, height } = autoOrient;
  const longest = MAX_RELATION * Math.min(width, height);
  const kept = { width: Math.min(width, longest), height: Math.min(height, longest) };
  const upright = image.autoOrient();
  if (kept.width < width || kept.height < height) {
    upright.extract({
      left: Math.floor((width - kept.width) / 2),
      top: Math.floor((height - kept.height) / 2),
      ...kept,
    });
  }
  return upright
    .resize({ width: side, height: side, fit: 'outside', kernel: 'linear' })
    .flatten({ background: 'white' })
    .toColourspace('srgb');
}

async function pictureOf(image: Sharp): Promise<Picture> {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`it has ${info.channels} channels once decoded, expected are 3`);
  return { pixels: data, height: info.height, width: info.width };
}

/** Why a file could not be decoded, in one line. */
export function failure(error: unknown): string {
  return messageOf(error).trim().split('\n')[0]!;
}
