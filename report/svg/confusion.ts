/** A confusion matrix as SVG: rows are true classes, columns predicted ones, shaded by the fraction of the row. */
import { element, picture, text, widthOf, type SvgNode } from './svg';

/** With more classes than this the cells are too small for their counts. */
const MOST_COUNTS = 25;

/** `counts[true][predicted]` for the classes `names`. */
export function confusionPicture(
  counts: readonly (readonly number[])[],
  names: readonly string[],
  title: string,
): string {
  const cell = names.length > MOST_COUNTS ? 12 : 44;
  const size = cell * names.length;
  const fontSize = Math.min(12, cell - 2);
  const label = 16 + widthOf(names, fontSize);
  const [left, top] = [label + 24, label + 44];
  const parts: SvgNode[] = [
    text(left + size / 2, 46, 'predicted', { 'text-anchor': 'middle' }),
    text(16, top + size / 2, 'true', { 'text-anchor': 'middle', transform: `rotate(-90 16 ${top + size / 2})` }),
  ];
  names.forEach((name, k) => {
    const middle = cell * (k + 0.5) + fontSize / 3;
    const [x, y] = [left + middle, top - 8];
    parts.push(text(left - 8, top + middle, name, { 'text-anchor': 'end', 'font-size': fontSize }));
    parts.push(text(x, y, name, { 'font-size': fontSize, transform: `rotate(-90 ${x} ${y})` }));
  });
  counts.forEach((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    row.forEach((count, k) => {
      const share = total > 0 ? count / total : 0;
      const [x, y] = [left + cell * k, top + cell * i];
      const fill = i === k ? shade(share, [24, 100, 171]) : shade(share, [201, 42, 42]);
      parts.push(
        element(
          'rect',
          { x, y, width: cell, height: cell, fill, stroke: '#dddddd' },
          element('title', {}, `true ${names[i]}, predicted ${names[k]}: ${count} of ${total}`),
        ),
      );
      if (names.length <= MOST_COUNTS && count > 0) {
        const style = { 'text-anchor': 'middle', fill: share > 0.5 ? '#ffffff' : '#222222' };
        parts.push(text(x + cell / 2, y + cell / 2 + 4, String(count), style));
      }
    });
  });
  return picture(left + size + 20, top + size + 20, title, parts);
}

/** From white to a color; the square root lets small shares be seen. */
function shade(share: number, color: readonly number[]): string {
  const mixed = color.map((value) => Math.round(255 + (value - 255) * Math.sqrt(share)));
  return `rgb(${mixed.join(',')})`;
}
