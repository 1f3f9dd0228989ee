/**
 * Decodes an image for training: upright, transparency on white, first frame only, resized so that its shorter side has
 * a given length, with the same pixels as torchvision's `Resize`.
 */
import { closeSync, constants, fstatSync, openSync, read, readFileSync, readSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import sharp, { type Sharp } from 'sharp';
import { messageOf } from '../../../utils/errors';
import type { Region } from '../dataset';
import { decodeBitmap } from './bitmap';
import { decodeNetpbm } from './netpbm';
import { checkedSize, type Picture, type PictureSize } from './picture';
import { resizedPixels } from './resize';

/** A file, or its content. */
export type ImageSource = string | Uint8Array;

/** How to treat a color profile: keep the stored values, or convert them to sRGB. */
export type Icc = 'ignore' | 'convert';

export interface DecodeOptions {
  /** Length of the shorter side. */
  readonly side: number;
  readonly icc: Icc;
}

/** Supported formats; a format is detected from the content, not from the name. */
const FORMATS = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];
/** Maximum ratio of the sides; longer images are cropped. */
const MAX_RELATION = 4;
/**
 * Images larger than this many times the target are first downscaled by the decoder, which changes pixels by up to 2 of
 * 255.
 */
const ROUGH = 8;
/** Part of the key of cached images: another decoder or other rules may round differently. */
export const DECODER = `sharp ${sharp.versions.sharp}, sizes and pixels of torchvision, kept as pixels`;

// No other reader sees a file, also not to look what it is: that of SVG would read XML.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map((kind) => `VipsForeignLoad${kind}`) });
// A thread an image: there are always several at a time.
sharp.concurrency(1);
sharp.cache(false);

/** An image in its original size, and whether it is grayscale. Throws an Error with the reason if decoding fails. */
export async function decodeWhole(source: ImageSource, icc: Icc): Promise<Picture & { isGray: boolean }> {
  const { image, isGray, pictureOf } = await open(source, icc);
  return { ...(await pictureOf(image)), isGray };
}

/** The same, resized to a length of its shorter side. */
export async function decode(source: ImageSource, { side, icc }: DecodeOptions): Promise<Picture> {
  const { image, width, height, pictureOf } = await open(source, icc);
  const longest = MAX_RELATION * Math.min(width, height);
  const kept = { width: Math.min(width, longest), height: Math.min(height, longest) };
  if (kept.width < width || kept.height < height) {
    const [left, top] = [width - kept.width, height - kept.height].map((rest) => Math.floor(rest / 2));
    image.extract({ left: left!, top: top!, ...kept });
  }
  const wanted = resizedTo(side, kept);
  if (kept.width > ROUGH * wanted.width || kept.height > ROUGH * wanted.height) {
    const rough = {
      width: Math.min(kept.width, ROUGH * wanted.width),
      height: Math.min(kept.height, ROUGH * wanted.height),
    };
    image.resize({ ...rough, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false });
  }
  const picture = await pictureOf(image);
  return { ...wanted, pixels: resizedPixels(picture, wanted) };
}

/** The same, written to a file that `readPicture` reads fast: the pixels as they are. */
export async function decodeInto(source: ImageSource, options: DecodeOptions, target: string): Promise<PictureSize> {
  const { pixels, ...size } = await decode(source, options);
  await writeFile(target, pixels);
  return size;
}

const readInto = promisify(read);

/**
 * A picture of this size that `decodeInto` wrote. Throws an Error if it is none. It waits for the thread once only: each wait
 * may last a whole training step.
 */
export async function readPicture(path: string, { height, width }: PictureSize): Promise<Picture> {
  const pixels = new Uint8Array(3 * height * width);
  // Opened otherwise, a pipe would block a thread for ever.
  const { O_NONBLOCK = 0, O_RDONLY } = constants;
  const file = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size !== pixels.length) throw new Error('not a picture of this size');
    const { bytesRead } = await readInto(file, pixels, 0, pixels.length, 0);
    if (bytesRead !== pixels.length) throw new Error('it became shorter');
  } finally {
    closeSync(file);
  }
  return { pixels, height, width };
}

/** A region of a picture, resized to `side` × `side` pixels, row by row, RGB interleaved. */
export async function regionOf(picture: Picture, region: Region, side: number): Promise<Uint8Array> {
  if (region.width === side && region.height === side) return cutOut(picture, region);
  const part = sharpOf(picture)
    .extract({ ...region })
    .resize(side, side, { fit: 'fill', kernel: 'linear' });
  return (await rgbOf(part)).pixels;
}

function cutOut({ pixels, width: rowPixels }: Picture, { left, top, width, height }: Region): Uint8Array {
  const out = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * rowPixels + left);
    out.set(pixels.subarray(from, from + 3 * width), 3 * y * width);
  }
  return out;
}

/** The sides of an image, upright, as it is stored. Throws an Error with the reason if it cannot be told. */
export async function storedSize(source: ImageSource, icc: Icc): Promise<PictureSize> {
  const { height, width } = await open(source, icc);
  return { height, width };
}

/**
 * The sides that torchvision's `Resize(side)` gives an image: the shorter one is `side`, the longer one is rounded
 * down.
 */
function resizedTo(side: number, { width, height }: PictureSize): PictureSize {
  const long = Math.trunc((side * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: side, height: long } : { width: long, height: side };
}

/** Why a file could not be decoded, in one line. */
export function failure(error: unknown): string {
  return messageOf(error).trim().split('\n')[0]!;
}

interface Opened {
  readonly image: Sharp;
  /** After rotation to upright. */
  readonly width: number;
  readonly height: number;
  readonly isGray: boolean;
  /** The decoded pixels of an image. */
  readonly pictureOf: (image: Sharp) => Promise<Picture>;
}

/** A pipeline for an upright and opaque image, not decoded yet. */
async function open(source: ImageSource, icc: Icc): Promise<Opened> {
  if (typeof source === 'string') await refuseSpecial(source);
  const own = decoderOf(source);
  if (own) {
    const picture = own(typeof source === 'string' ? readFileSync(source) : source);
    return { ...picture, image: sharpOf(picture), isGray: false, pictureOf: rgbOf };
  }
  const image = sharp(source, { failOn: 'error', limitInputPixels: false, ignoreIcc: icc === 'ignore' });
  const { format, space, width, height, autoOrient } = await image.metadata();
  if (!FORMATS.includes(format))
    throw new Error(`its format is ${format}, accepted are ${[...FORMATS, 'bmp', 'pbm', 'pgm', 'ppm'].join(', ')}`);
  checkedSize(width, height);
  image.autoOrient();
  if (space === 'cmyk' && icc === 'ignore') {
    image.pipelineColourspace('cmyk').toColourspace('cmyk');
    return { image, ...autoOrient, isGray: false, pictureOf: cmykOf };
  }
  image.flatten({ background: 'white' }).toColourspace('srgb');
  return { image, ...autoOrient, isGray: space === 'b-w' || space === 'grey16', pictureOf: rgbOf };
}

/** A pipe would block a file reading thread forever. */
async function refuseSpecial(path: string): Promise<void> {
  if (!(await stat(path)).isFile()) throw new Error('not a regular file');
}

/** Decoders for formats that the library does not support. */
function decoderOf(source: ImageSource): ((bytes: Uint8Array) => Picture) | undefined {
  const [first, second] = typeof source === 'string' ? headOf(source) : source;
  if (first === 0x42 && second === 0x4d) return decodeBitmap;
  if (first === 0x50 && second !== undefined && second >= 0x31 && second <= 0x36) return decodeNetpbm;
  return undefined;
}

function headOf(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const head = new Uint8Array(2);
    return head.subarray(0, readSync(file, head, 0, 2, 0));
  } finally {
    closeSync(file);
  }
}

function sharpOf({ pixels, width, height }: Picture): Sharp {
  return sharp(pixels, { raw: { width, height, channels: 3 }, limitInputPixels: false });
}

async function rgbOf(image: Sharp): Promise<Picture> {
  return decoded(image, 3);
}

/** CMYK without a profile, as in Pillow: inverted ink on white. */
async function cmykOf(image: Sharp): Promise<Picture> {
  const { pixels: inks, ...size } = await decoded(image, 4);
  const pixels = new Uint8Array((inks.length / 4) * 3);
  for (let from = 0, to = 0; from < inks.length; from += 4) {
    const light = 255 - inks[from + 3]!;
    for (let i = 0; i < 3; i++) pixels[to++] = light - Math.round((inks[from + i]! * light) / 255);
  }
  return { ...size, pixels };
}

async function decoded(image: Sharp, channels: number): Promise<Picture> {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  if (info.channels !== channels) {
    throw new Error(`it has ${info.channels} channels after decoding, expected are ${channels}`);
  }
  return { pixels: data, height: info.height, width: info.width };
}
