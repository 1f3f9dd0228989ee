import { expect } from 'chai';
import { box, Canvas, disc, type Fill, type Frame, polygon, radialPoints } from '../../../../model/data/sets/drawing';

const white: Fill = { texture: () => 0, from: [1, 1, 1], to: [0, 0, 0] };
const upright: Frame = { x: 15.5, y: 15.5, angle: 0, unitX: 10, unitY: 10 };

/** Covered area in square pixels. */
const area = (canvas: Canvas): number => canvas.pixels.subarray(0, 32 * 32).reduce((sum, value) => sum + value, 0);

describe('outlines', () => {
  it('polygon gives the signed distance to a square', () => {
    const square = polygon([
      [-1, -1],
      [1, -1],
      [1, 1],
      [-1, 1],
    ]);
    expect(square(0, 0)).to.equal(-1);
    expect(square(0.5, 0.25)).to.equal(-0.5);
    expect(square(3, 0)).to.equal(2);
    expect(square(4, 5)).to.equal(5); // 3-4-5 triangle at the corner
  });

  it('polygon knows the dents of a concave outline', () => {
    const star = polygon(radialPoints(10, 1, 0.4));
    const [sin, cos] = [Math.sin(Math.PI / 5), Math.cos(Math.PI / 5)];
    expect(star(0, -0.9)).to.be.below(0); // near the upper point
    expect(star(0.9 * sin, -0.9 * cos)).to.be.above(0); // as far out, in the dent
    expect(star(0.4 * sin, -0.4 * cos)).to.be.closeTo(0, 1e-12);
  });

  it('disc and box have their closed forms', () => {
    expect(disc(3, 4)).to.equal(4);
    expect(box(2, 1)(0, 0)).to.equal(-1);
    expect(box(2, 1)(5, 0)).to.equal(3);
  });
});

describe('Canvas', () => {
  it('covers the area of what it paints, softness and rotation aside', () => {
    for (const softness of [1, 2]) {
      const canvas = new Canvas(32);
      canvas.paint(disc, { ...upright, x: 14.3, y: 16.8 }, softness, white);
      expect(area(canvas)).to.be.closeTo(Math.PI * 100, 2.5);
    }
    for (const angle of [0, 0.4, 2]) {
      const canvas = new Canvas(32);
      canvas.paint(box(1, 1), { ...upright, angle, unitX: 4, unitY: 12 }, 1, white);
      expect(area(canvas)).to.be.closeTo(8 * 24, 3);
    }
    const canvas = new Canvas(32);
    canvas.paint(polygon(radialPoints(3, 1)), upright, 1, white);
    expect(area(canvas)).to.be.closeTo((3 * Math.sqrt(3) * 100) / 4, 2);
  });

  it('turns clockwise, from the x axis to the y axis, which points down', () => {
    const canvas = new Canvas(32);
    canvas.paint(disc, { x: 15, y: 15, angle: Math.PI / 4, unitX: 14, unitY: 2 }, 1, white);
    const pixel = (x: number, y: number): number => canvas.pixels[y * 32 + x]!;
    expect(pixel(22, 22)).to.equal(1);
    expect(pixel(8, 8)).to.equal(1);
    expect(pixel(22, 8)).to.equal(0);
  });

  it('clips at its borders', () => {
    const canvas = new Canvas(32);
    canvas.paint(disc, { ...upright, x: -0.5, y: 31.5 }, 1, white);
    expect(area(canvas)).to.be.closeTo((Math.PI * 100) / 4, 1.5);
  });

  it('mixes two colors by texture, and a layer with what lies below by coverage', () => {
    const canvas = new Canvas(32);
    canvas.flood({ texture: (x, y) => (x + 32 * y) / 1023, from: [0, 0.5, 1], to: [1, 0.5, 0] });
    const at = (channel: number, place: number): number => canvas.pixels[channel * 1024 + place]!;
    for (const place of [0, 100, 1023]) {
      expect(at(0, place)).to.be.closeTo(place / 1023, 1e-6);
      expect(at(1, place)).to.equal(0.5);
      expect(at(2, place)).to.be.closeTo(1 - place / 1023, 1e-6);
    }
    const half = new Canvas(32);
    half.flood({ ...white, from: [0.2, 0.2, 0.2] });
    half.paint(() => 0, upright, 1, white);
    expect(half.pixels[16 * 32 + 16]).to.be.closeTo(0.6, 1e-6);
  });
});
