/** A chart that is drawn when it becomes visible, and again when its data has changed. */
import * as vega from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import { compile } from 'vega-lite';
import { configOf, dark, light, type ChartStyle, type Spec } from '../charts/theme';
import { h } from './dom';
import { hideTooltip, showTooltip } from './tooltip';

export interface FigureOptions {
  /** File name of the saved figure. */
  readonly name: string;
  readonly title: string;
  /** Whether its title stands above it; the heading of its section may be enough. */
  readonly captioned?: boolean;
  /** undefined if there is nothing to draw. */
  readonly chart: (style: ChartStyle) => Spec | undefined;
  /** The text shown in that case. */
  readonly empty: string;
}

const isDark = matchMedia('(prefers-color-scheme: dark)');

export class Figure {
  private static readonly all = new Map<Element, Figure>();
  private static queue = Promise.resolve();

  private static readonly sight = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) Figure.all.get(target)?.setVisible(isIntersecting);
    },
    { rootMargin: '200px' },
  );

  private static readonly size = new ResizeObserver((entries) => {
    for (const { target } of entries) Figure.all.get(target)?.resized();
  });

  readonly element: HTMLElement;
  private readonly host = h('div', { class: 'chart' });
  private readonly save: HTMLButtonElement;
  private isVisible = false;
  private isStale = true;
  private isQueued = false;
  private width = 0;
  private view: vega.View | undefined;

  constructor(private readonly options: FigureOptions) {
    const label = `Save “${options.title}” as an SVG file`;
    this.save = h(
      'button',
      { type: 'button', class: 'save', title: label, 'aria-label': label, onclick: () => void this.download() },
      'SVG',
    );
    this.element = h(
      'figure',
      { id: `figure-${options.name}` },
      h('figcaption', {}, h('span', { class: options.captioned ? '' : 'unseen' }, options.title), this.save),
      this.host,
    );
    Figure.all.set(this.host, this);
    Figure.sight.observe(this.host);
    Figure.size.observe(this.host);
  }

  /** Redraws all visible figures, and the others when they become visible. */
  static redrawAll(): void {
    for (const figure of Figure.all.values()) figure.redraw();
  }

  /** Draws those that have not been in sight yet, at once: paper shows the whole page. */
  static drawAll(): void {
    for (const figure of Figure.all.values()) {
      if (!figure.isStale || figure.host.clientWidth === 0) continue;
      figure.isStale = false;
      void figure.draw().catch((error: unknown) => figure.say(String(error)));
    }
  }

  /** Releases the figures in an element that is about to be emptied. */
  static forgetIn(element: Element): void {
    for (const [host, figure] of Figure.all) {
      if (!element.contains(host)) continue;
      Figure.sight.unobserve(host);
      Figure.size.unobserve(host);
      figure.view?.finalize();
      figure.isVisible = false;
      Figure.all.delete(host);
    }
  }

  redraw(): void {
    this.isStale = true;
    this.enqueue();
  }

  private setVisible(isVisible: boolean): void {
    this.isVisible = isVisible;
    this.enqueue();
  }

  private resized(): void {
    if (this.view && Math.abs(this.host.clientWidth - this.width) > 2) this.redraw();
  }

  /** Draws one chart after the other, with pauses in which the page can react. */
  private enqueue(): void {
    if (!this.isVisible || !this.isStale || this.isQueued) return;
    this.isQueued = true;
    Figure.queue = Figure.queue.then(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      this.isQueued = false;
      if (!this.isVisible || !this.isStale) return;
      this.isStale = false;
      await this.draw().catch((error: unknown) => this.say(String(error)));
    });
  }

  private async draw(): Promise<void> {
    this.width = this.host.clientWidth;
    const style = { theme: isDark.matches ? dark : light, width: this.width, alone: false };
    const spec = this.options.chart(style);
    this.view?.finalize();
    this.view = undefined;
    hideTooltip();
    this.host.replaceChildren();
    this.save.hidden = spec === undefined;
    if (spec === undefined) return this.say(this.options.empty);
    this.view = viewOf(spec, style, { renderer: 'svg', container: this.host, hover: true });
    this.view.tooltip((_: unknown, event: MouseEvent, __: unknown, value: unknown) => showTooltip(event, value));
    this.view.description(this.options.title);
    await this.view.runAsync();
  }

  private say(text: string): void {
    this.host.replaceChildren(h('p', { class: 'empty' }, text));
  }

  private async download(): Promise<void> {
    const style = { theme: light, width: 640, alone: true };
    const view = viewOf(this.options.chart(style)!, style, { renderer: 'none' });
    const url = URL.createObjectURL(new Blob([await view.toSVG()], { type: 'image/svg+xml' }));
    view.finalize();
    h('a', { href: url, download: `${this.options.name}.svg` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

addEventListener('beforeprint', () => Figure.drawAll());
isDark.addEventListener('change', () => Figure.redrawAll());

/** Expressions are interpreted (`ast`), as the page's policy forbids to make functions of texts. */
function viewOf(spec: Spec, style: ChartStyle, options: vega.ViewOptions): vega.View {
  const runtime = vega.parse(compile(spec, { config: configOf(style) }).spec, undefined, { ast: true });
  return new vega.View(runtime, { ...options, expr: expressionInterpreter });
}
