/** Scalable vector graphics as text: elements with escaped attributes and texts, and small images. */
import { pngDataUri } from '../../formats/png';

/** An element, or a text. */
export type SvgNode = SvgElement | string;

export interface SvgElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly children: readonly SvgNode[];
}

/** An element; numbers among the attributes are pixels and are rounded to hundredths. */
export function element(name: string, attributes: SvgElement['attributes'], ...children: SvgNode[]): SvgElement {
  return { name, attributes, children };
}

/** A text with its baseline at (x, y). */
export function text(x: number, y: number, content: string, attributes: SvgElement['attributes'] = {}): SvgElement {
  return element('text', { x, y, ...attributes }, content);
}

/** An image of 1 or 3 planes within a square with its corner at (x, y), each pixel a rectangle. */
export function thumbnail(
  planes: Uint8Array,
  shape: readonly [channels: number, height: number, width: number],
  x: number,
  y: number,
  side: number,
): SvgElement {
  const style = 'image-rendering: pixelated';
  return element('image', { x, y, width: side, height: side, style, href: pngDataUri(planes, shape) });
}

/** About how many pixels a text takes for each point of its size. */
const WIDTH_OF_LETTER = 0.6;
const TITLE_SIZE = 14;

/** A picture of its own on white ground, for a file, under its title; wide enough for that. */
export function picture(leastWidth: number, height: number, title: string, children: readonly SvgNode[]): string {
  const width = Math.max(leastWidth, 32 + Math.ceil(title.length * TITLE_SIZE * WIDTH_OF_LETTER));
  const root = element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${rounded(width)} ${rounded(height)}`,
      width,
      height,
      'font-family': 'system-ui, sans-serif',
      'font-size': 12,
      fill: '#222222',
    },
    element('title', {}, title),
    element('rect', { width, height, fill: '#ffffff' }),
    text(16, 24, title, { 'font-size': TITLE_SIZE, 'font-weight': 'bold' }),
    ...children,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${render(root)}\n`;
}

/** About how many pixels the longest of some names takes. */
export function widthOf(names: readonly string[], fontSize: number): number {
  return Math.ceil(Math.max(...names.map((name) => name.length)) * fontSize * WIDTH_OF_LETTER);
}

/** An element as text. */
export function render(node: SvgNode): string {
  if (typeof node === 'string') return escape(node);
  const attributes = Object.entries(node.attributes).map(
    ([name, value]) => ` ${name}="${typeof value === 'number' ? rounded(value) : escape(value)}"`,
  );
  const open = `<${node.name}${attributes.join('')}`;
  return node.children.length === 0 ? `${open}/>` : `${open}>${node.children.map(render).join('')}</${node.name}>`;
}

/** The text without what XML reads as markup, and without the control characters that it forbids. */
function escape(content: string): string {
  return content
    .replace(
      /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      '�',
    )
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function rounded(value: number): string {
  return String(Math.round(value * 100) / 100);
}
