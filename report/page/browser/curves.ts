/** The section of learning curves: six figures of the same rows, whose names stand above. */
import { curveKinds, curvesChart, curveTitle, type CurveChoice, type Part } from '../charts/curves';
import { dark, light, lineStyle, MOST_LINES } from '../charts/theme';
import { choice, counted, h, section } from './dom';
import { Figure } from './figure';
import type { State } from './state';

const parts: Readonly<Record<string, Part>> = { validation: 'val', training: 'train' };

export class CurvesSection {
  readonly element: HTMLElement;
  private readonly remark = h('p', { class: 'remark', role: 'status' });
  private readonly legend = h('ul', { class: 'legend' });
  private readonly grid = h('div', { class: 'figures' });
  private readonly figures: { readonly choice: Omit<CurveChoice, 'part'>; readonly figure: Figure }[];
  private lines: readonly number[] = [];

  constructor(
    private readonly state: State,
    private readonly onClear: () => void,
  ) {
    this.figures = curveKinds.flatMap((kind) =>
      [false, true].map((zoomed) => {
        const partOf = () => (kind === 'logit_difference' ? 'val' : state.part);
        const figure = new Figure({
          name: `${kind}${zoomed ? '_last_epochs' : ''}`,
          title: curveTitle({ kind, zoomed }),
          captioned: true,
          chart: (style) => curvesChart(state.data, this.lines, { kind, zoomed, part: partOf() }, style),
          empty: 'No data for these rows.',
        });
        return { choice: { kind, zoomed }, figure };
      }),
    );
    this.grid.append(...this.figures.map(({ figure }) => figure.element));
    const images = choice('On the images of', Object.keys(parts), 'validation', (name) => {
      state.part = parts[name]!;
      for (const { figure } of this.figures) figure.redraw();
    });
    this.element = section(
      'curves',
      'Learning curves',
      this.remark,
      h('div', { class: 'tools' }, images),
      this.legend,
      this.grid,
    );
  }

  /** Draws the curves of the rows that are picked, or of the best of `rows`. */
  update(rows: readonly number[]): void {
    const { data, picked, metric } = this.state;
    this.lines = this.state.lines(rows);
    const has = (name: string) => data.rows.some(({ curves }) => curves && name in curves.values);
    for (const {
      choice: { kind },
      figure,
    } of this.figures) {
      figure.element.hidden = !has(`val_${kind}`) && !has(`train_${kind}`);
      figure.redraw();
    }
    this.element.hidden = data.curves.had === 0;
    const { had, kept } = data.curves;
    const limits = [
      ...(picked.size > MOST_LINES ? [`At most ${MOST_LINES} lines are drawn.`] : []),
      ...(kept < had
        ? [`This file contains the curves of the best ${kept.toLocaleString('en-US')} of ${counted(had, 'row')}.`]
        : []),
    ];
    const best = `The best ${this.lines.length} of the filtered rows${metric ? `, by ${metric.name}` : ''}; tick rows in the table to choose others. `;
    const ticked = `${counted(this.lines.length, 'ticked row')}. `;
    this.remark.replaceChildren(
      picked.size > 0 ? ticked : best,
      'Lines are means over repeats, bands ± 1 standard deviation. ',
      ...limits.map((limit) => `${limit} `),
      ...(picked.size > 0 ? [h('button', { type: 'button', onclick: this.onClear }, 'Untick all')] : []),
    );
    this.legend.replaceChildren(...this.lines.map((row, index) => this.entry(row, index)));
  }

  private entry(row: number, index: number): HTMLElement {
    const { data, metric } = this.state;
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    for (const [name, value] of Object.entries({ width: 28, height: 10, 'aria-hidden': true }))
      svg.setAttribute(name, String(value));
    for (const theme of [light, dark]) {
      const { color, dash } = lineStyle(index, theme);
      const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
      const attributes = {
        d: 'M1 5H27',
        class: theme === light ? 'light' : 'dark',
        stroke: color,
        'stroke-width': 2.5,
        'stroke-dasharray': dash.join(' '),
      };
      for (const [name, value] of Object.entries(attributes)) line.setAttribute(name, String(value));
      svg.append(line);
    }
    const score = metric?.texts[row] ?? '';
    return h('li', {}, svg, h('span', {}, data.rows[row]!.id), h('span', { class: 'score' }, score));
  }
}
