/** Images with a caption under each, in rows. */
import { element, picture, text, thumbnail, type SvgNode } from './svg';

export interface CaptionedImage {
  readonly planes: Uint8Array;
  readonly shape: readonly [number, number, number];
  /** Lines below the image. */
  readonly caption: readonly string[];
}

const COLUMNS = 5;
const [SIDE, CELL, LINE] = [96, 152, 15];

export function imagesPicture(images: readonly CaptionedImage[], title: string): string {
  const lines = Math.max(0, ...images.map(({ caption }) => caption.length));
  const height = SIDE + lines * LINE + 24;
  const parts: SvgNode[] = [];
  images.forEach(({ planes, shape, caption }, i) => {
    const place = `translate(${16 + CELL * (i % COLUMNS)} ${44 + height * Math.floor(i / COLUMNS)})`;
    const words = caption.map((line, row) => text(0, SIDE + LINE * (row + 1), line));
    parts.push(element('g', { transform: place }, thumbnail(planes, shape, 0, 0, SIDE), ...words));
  });
  return picture(16 + CELL * COLUMNS, 44 + height * Math.ceil(images.length / COLUMNS), title, parts);
}
