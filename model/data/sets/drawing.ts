/** Anti-aliased drawing on a small RGB canvas: outlines as signed distance fields, filled with two-colored textures. */

/** Signed distance from (x, y) to an outline of about unit radius around the origin; negative inside. */
export type Outline = (x: number, y: number) => number;

/** Position of pixel (x, y) between the two colors of a fill, in [0, 1]. */
export type Texture = (x: number, y: number) => number;

/** Red, green and blue, about 0 to 1. */
type Color = readonly number[];

export interface Fill {
  readonly texture: Texture;
  readonly from: Color;
  readonly to: Color;
}

/** The placement of an outline on the canvas: center and unit lengths in pixels, rotation in radians. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly angle: number;
  readonly unitX: number;
  readonly unitY: number;
}

type Point = readonly [x: number, y: number];

/** The disc of radius 1. */
export const disc: Outline = (x, y) => Math.sqrt(x * x + y * y) - 1;

/** The rectangle |x| ≤ halfWidth, |y| ≤ halfHeight; outside, the distance is the larger of those along the axes. */
export function box(halfWidth: number, halfHeight: number): Outline {
  return (x, y) => Math.max(Math.abs(x) - halfWidth, Math.abs(y) - halfHeight);
}

/** The inside of a closed polygon, by the even-odd rule; the distance is that to the nearest edge. */
export function polygon(points: readonly Point[]): Outline {
  const edges = points.map(([x0, y0], i) => {
    const [x1, y1] = points[(i + 1) % points.length]!;
    return { x0, y0, y1, dx: x1 - x0, dy: y1 - y0, invSquare: 1 / ((x1 - x0) ** 2 + (y1 - y0) ** 2) };
  });
  return (x, y) => {
    let nearest = Infinity;
    let inside = false;
    for (const { x0, y0, y1, dx, dy, invSquare } of edges) {
      const px = x - x0;
      const py = y - y0;
      const along = Math.min(1, Math.max(0, (px * dx + py * dy) * invSquare));
      const ex = px - along * dx;
      const ey = py - along * dy;
      nearest = Math.min(nearest, ex * ex + ey * ey);
      if (y0 > y !== y1 > y && px * dy > py * dx === dy > 0) inside = !inside;
    }
    return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
  };
}

/** `count` points at equal angles clockwise from the top; their distances from the center are `radii` in turn. */
export function radialPoints(count: number, ...radii: number[]): Point[] {
  return Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * i) / count;
    const radius = radii[i % radii.length]!;
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

/** A square canvas, black at first. */
export class Canvas {
  /** 3 × side × side values, about 0 to 1. */
  readonly pixels: Float32Array;

  constructor(readonly side: number) {
    this.pixels = new Float32Array(3 * side * side);
  }

  /** Fills the whole canvas. */
  flood(fill: Fill): void {
    for (let y = 0; y < this.side; y++) {
      for (let x = 0; x < this.side; x++) this.blend(x, y, 1, fill);
    }
  }

  /** Fills an outline; its edge fades over `softness` pixels. */
  paint(outline: Outline, { x: centerX, y: centerY, angle, unitX, unitY }: Frame, softness: number, fill: Fill): void {
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    const sharpness = Math.min(unitX, unitY) / softness;
    const reach = 1.1 * Math.hypot(unitX, unitY) + softness;
    const limit = (value: number): number => Math.min(this.side, Math.max(0, Math.ceil(value)));
    const right = limit(centerX + reach);
    const bottom = limit(centerY + reach);
    for (let y = limit(centerY - reach); y < bottom; y++) {
      for (let x = limit(centerX - reach); x < right; x++) {
        const dx = x - centerX;
        const dy = y - centerY;
        const distance = outline((cos * dx + sin * dy) / unitX, (cos * dy - sin * dx) / unitY);
        const coverage = Math.min(1, 0.5 - distance * sharpness);
        if (coverage > 0) this.blend(x, y, coverage, fill);
      }
    }
  }

  private blend(x: number, y: number, coverage: number, { texture, from, to }: Fill): void {
    const shade = texture(x, y);
    const plane = this.side * this.side;
    for (let channel = 0, at = y * this.side + x; channel < 3; channel++, at += plane) {
      const color = from[channel]! + (to[channel]! - from[channel]!) * shade;
      this.pixels[at]! += coverage * (color - this.pixels[at]!);
    }
  }
}
