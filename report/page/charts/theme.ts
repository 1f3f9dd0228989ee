/** How charts look: colors that differ for color-blind readers too, on light and dark ground. */
import type { Config, TopLevelSpec } from 'vega-lite';

export type Spec = TopLevelSpec;

export interface Theme {
  readonly background: string;
  readonly foreground: string;
  readonly muted: string;
  readonly grid: string;
  /** For lines, one after the other. */
  readonly colors: readonly string[];
  /** From the worst to the best. */
  readonly ramp: readonly string[];
  /** Stand out, and stand back. */
  readonly strong: string;
  readonly weak: string;
}

export interface ChartStyle {
  readonly theme: Theme;
  /** Pixels, of the whole figure. */
  readonly width: number;
  /** A figure that stands alone has a title and a legend. */
  readonly alone: boolean;
}

/** Lines are Okabe & Ito's colors (2008), whose yellow is left out on white. */
export const light: Theme = {
  background: '#ffffff',
  foreground: '#1f2328',
  muted: '#59636e',
  grid: '#e6e9ed',
  colors: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#1f2328'],
  ramp: ['#d3e0ec', '#9cc6e2', '#4b96c9', '#1560a0', '#062a52'],
  strong: '#0b5cad',
  weak: '#a3adb8',
};

export const dark: Theme = {
  background: '#161a1f',
  foreground: '#e6eaef',
  muted: '#9aa4af',
  grid: '#2c333b',
  colors: ['#56b4e9', '#e69f00', '#3cc79c', '#e391bb', '#ff8a50', '#f0e442', '#e6eaef'],
  ramp: ['#26333f', '#2c5b85', '#4b93c8', '#9ccbec', '#eef7fd'],
  strong: '#6cb6ff',
  weak: '#5c6773',
};

/** Lines after the seventh have the colors once more, dashed, and then dotted. */
const dashes = [
  [1, 0],
  [6, 3],
  [2, 2],
];

/** More lines than this cannot be told apart. */
export const MOST_LINES = light.colors.length * dashes.length;

export function lineStyle(index: number, { colors }: Theme): { readonly color: string; readonly dash: number[] } {
  const dash = dashes[Math.floor(index / colors.length) % dashes.length]!;
  return { color: colors[index % colors.length]!, dash };
}

export function configOf({ theme }: ChartStyle): Config {
  const { background, foreground, muted, grid } = theme;
  const font = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  const text = { labelColor: muted, titleColor: foreground, labelFontSize: 11, titleFontSize: 12 };
  return {
    background,
    font,
    padding: 4,
    autosize: { type: 'fit', contains: 'padding' },
    view: { stroke: null },
    axis: { ...text, titleFontWeight: 500, titlePadding: 8, gridColor: grid, domainColor: muted, tickColor: muted },
    axisX: { grid: false, labelFlush: true },
    axisY: { domain: false, ticks: false, labelPadding: 6 },
    legend: {
      ...text,
      titleFontWeight: 500,
      labelLimit: 560,
      symbolStrokeWidth: 2.5,
      symbolOpacity: 1,
      symbolSize: 250,
    },
    title: { color: foreground, fontSize: 13, fontWeight: 600, anchor: 'start', offset: 10 },
    text: { color: foreground, font },
  };
}

/**
 * A name as the title of a field, where tooltips and descriptions (ARIA) have it from; axes and legends take the plain name.
 * Vega-Lite 6.4 puts these titles into expressions, and escapes quotes in them but neither backslashes nor ends of lines.
 */
export function fieldTitle(name: string): string {
  return JSON.stringify(name).slice(1, -1).replaceAll('\\"', '"');
}

/** Title of a figure that stands alone. */
export function titled(style: ChartStyle, title: string): { readonly title?: string } {
  return style.alone ? { title } : {};
}
