/**
 * Soft targets as bar charts: the probabilities of a student, and of its teacher if any, for each class or for single
 * images.
 */
import { element, picture, text, thumbnail, widthOf, type SvgNode } from './svg';

/** Bars of one class or image. */
export interface SoftTargets {
  readonly title: string;
  /** A probability a class. */
  readonly student: ArrayLike<number>;
  readonly teacher?: ArrayLike<number>;
  /** Planes of the image that the probabilities are of. */
  readonly image?: { readonly planes: Uint8Array; readonly shape: readonly [number, number, number] };
}

/** A panel shows the classes of the largest probabilities, at most so many. */
const MOST_BARS = 10;
const COLUMNS = 4;
const [LINE, BAR, VALUES, IMAGE] = [16, 130, 72, 32];
const [STUDENT, TEACHER] = ['#1864ab', '#e8590c'];

/** Panels in rows of four. */
export function softTargetsPicture(panels: readonly SoftTargets[], names: readonly string[], title: string): string {
  const bars = Math.min(MOST_BARS, names.length);
  const label = widthOf(names, 11) + 6;
  const [width, height] = [label + BAR + VALUES, 34 + bars * LINE];
  const parts = legend(panels.some(({ teacher }) => teacher !== undefined));
  panels.forEach((panel, i) => {
    const place = `translate(${16 + width * (i % COLUMNS)} ${64 + height * Math.floor(i / COLUMNS)})`;
    parts.push(element('g', { transform: place }, ...panelParts(panel, names, bars, label)));
  });
  const rows = Math.ceil(panels.length / COLUMNS);
  return picture(16 + width * Math.min(COLUMNS, panels.length), 64 + height * rows, title, parts);
}

function legend(hasTeacher: boolean): SvgNode[] {
  const entry = (x: number, color: string, name: string) => [
    element('rect', { x, y: 34, width: 10, height: 10, fill: color }),
    text(x + 15, 43, name),
  ];
  return [...entry(16, STUDENT, 'student'), ...(hasTeacher ? entry(90, TEACHER, 'teacher') : [])];
}

/** `bars` classes in their order, each with a label `label` pixels wide. */
function panelParts(panel: SoftTargets, names: readonly string[], bars: number, label: number): SvgNode[] {
  const { title, student, teacher, image } = panel;
  const order = names.map((_, k) => k).sort((a, b) => student[b]! - student[a]! || a - b);
  const shown = order.slice(0, bars).sort((a, b) => a - b);
  const parts: SvgNode[] = [text(0, 10, title, { 'font-weight': 'bold' })];
  if (image) parts.push(thumbnail(image.planes, image.shape, label + BAR + 16, -8, IMAGE));
  const series = teacher ? [student, teacher] : [student];
  const thickness = 12 / series.length;
  shown.forEach((k, line) => {
    const y = 20 + line * LINE;
    parts.push(text(label - 6, y + 10, names[k]!, { 'text-anchor': 'end', 'font-size': 11 }));
    const shares = series.map((values) => values[k]!);
    shares.forEach((share, i) => {
      const fill = [STUDENT, TEACHER][i]!;
      parts.push(element('rect', { x: label, y: y + i * thickness, width: BAR * share, height: thickness, fill }));
    });
    const values = shares.map((share) => share.toFixed(2)).join(' / ');
    const end = label + BAR * Math.max(...shares) + 4;
    parts.push(text(end, y + 10, values, { 'font-size': 10, fill: '#666666' }));
  });
  return parts;
}
