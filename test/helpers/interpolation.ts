/** Bilinear interpolation between pixel centers without antialiasing, as torch.nn.functional.interpolate does it. */

/** Images (N, C, H, W) of bytes at another size, rounded to bytes again. */
export function interpolated(
  images: Uint8Array,
  [channels, height, width]: readonly [number, number, number],
  side: number,
): Uint8Array {
  const planes = images.length / (height * width);
  if (planes % channels !== 0) throw new Error('interpolated: the images have another shape');
  const resized = new Uint8Array(planes * side * side);
  const along = (length: number) =>
    Array.from({ length: side }, (_, i) => {
      const place = Math.max(0, ((i + 0.5) * length) / side - 0.5);
      const low = Math.min(Math.floor(place), length - 1);
      return { low, high: Math.min(low + 1, length - 1), share: place - low };
    });
  const [rows, columns] = [along(height), along(width)];
  for (let plane = 0; plane < planes; plane++) {
    const pixel = (y: number, x: number) => images[(plane * height + y) * width + x]!;
    rows.forEach((row, y) =>
      columns.forEach((column, x) => {
        const mix = (line: number) =>
          pixel(line, column.low) * (1 - column.share) + pixel(line, column.high) * column.share;
        resized[(plane * side + y) * side + x] = Math.round(mix(row.low) * (1 - row.share) + mix(row.high) * row.share);
      }),
    );
  }
  return resized;
}
