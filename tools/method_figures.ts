/** What each family of methods compares, as small figures: `npm run docs` writes docs/pictures/methods_<family>.svg. */
const WIDTH = 640;
const HEIGHT = 216;
const TEACHER = '#b35900';
const STUDENT = '#0b62b0';
const LOSS = '#a3124f';
const TEXT = '#24292f';
const TEACHER_ROW = 44;
const STUDENT_ROW = 142;
const BOX_HEIGHT = 34;
/** Left edges and widths of the layers of a network in a row. */
const LAYERS: readonly (readonly [name: string, x: number, width: number])[] = [
  ['stage1', 150, 76],
  ['stage2', 250, 76],
  ['stage3', 350, 76],
  ['pooled', 450, 66],
  ['logits', 540, 66],
];

const text = (x: number, y: number, content: string, color = TEXT, anchor = 'middle') =>
  `<text x="${x}" y="${y}" fill="${color}" text-anchor="${anchor}">${content}</text>`;

function box(x: number, y: number, width: number, label: string, color: string): string {
  const frame = `<rect x="${x}" y="${y}" width="${width}" height="${BOX_HEIGHT}" rx="5" fill="#fff" stroke="${color}" stroke-width="1.5"/>`;
  return frame + text(x + width / 2, y + 22, label);
}

const arrow = (points: string, color: string, ends = 'marker-end="url(#head)"', dash = '') =>
  `<path d="${points}" fill="none" stroke="${color}" stroke-width="1.5" color="${color}" ${dash}${ends}/>`;

const BOTH_ENDS = 'marker-start="url(#head)" marker-end="url(#head)"';
/** A loss: a dashed line, with an arrow at what learns from it. */
const loss = (points: string, ends?: string) => arrow(points, LOSS, ends, 'stroke-dasharray="5 3" ');

/** The middle of a layer. */
function middle(layer: string): number {
  const [, x, width] = LAYERS.find(([name]) => name === layer)!;
  return x + width / 2;
}

/** A network, from left to right. */
function network(name: string, y: number, color: string): string {
  const boxes = LAYERS.map(([label, x, width]) => box(x, y, width, label, color));
  const between = LAYERS.slice(1).map(([, x], i) => {
    const [, before, width] = LAYERS[i]!;
    return arrow(`M${before + width} ${y + 17}H${x - 2}`, color);
  });
  return [text(18, y + 22, name, color, 'start'), ...boxes, ...between].join('\n');
}

/** What goes into both networks. */
const images = (label = 'images', color = TEXT) =>
  [
    box(18, 93, 76, label, color),
    arrow(`M94 110H120V${TEACHER_ROW + 17}H148`, TEXT),
    arrow(`M94 110H120V${STUDENT_ROW + 17}H148`, TEXT),
  ].join('\n');

/** A loss between the same layer of both rows. */
const across = (layer: string, ends?: string) =>
  loss(`M${middle(layer)} ${TEACHER_ROW + BOX_HEIGHT}V${STUDENT_ROW - 2}`, ends);

const pair = (top = 'teacher', bottom = 'student') =>
  network(top, TEACHER_ROW, top === 'teacher' ? TEACHER : STUDENT) + '\n' + network(bottom, STUDENT_ROW, STUDENT);

/** Three examples as points, and the distances between them. */
function triangle(x: number, color: string, corners: readonly (readonly [number, number])[], title: string): string {
  const places = corners.map(([dx, y]) => [x + dx, y] as const);
  const sides = places.map(([x1, y1], i) => {
    const [x2, y2] = places[(i + 1) % places.length]!;
    return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${color}" stroke-width="1.5"/>`;
  });
  const points = places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="7" fill="${color}"/>`);
  return [...sides, ...points, text(x + 70, 200, title, color)].join('\n');
}

/** The figures by family; each is the inside of an SVG. */
const figures: Readonly<Record<string, string>> = {
  logits: [pair(), images(), across('logits'), text(563, 114, 'same class probabilities?', LOSS, 'end')].join('\n'),
  features: [
    pair(),
    images(),
    ...['stage1', 'stage2', 'stage3'].map((layer) => across(layer)),
    text(middle('stage3') + 12, 114, 'same feature maps?', LOSS, 'start'),
  ].join('\n'),
  relations: [
    triangle(
      70,
      TEACHER,
      [
        [10, 150],
        [70, 50],
        [130, 130],
      ],
      'three images in the teacher',
    ),
    triangle(
      430,
      STUDENT,
      [
        [0, 140],
        [95, 60],
        [140, 155],
      ],
      'three images in the student',
    ),
    loss('M238 104H402'),
    text(320, 92, 'same distances', LOSS),
    text(320, 126, 'and angles?', LOSS),
  ].join('\n'),
  self: [
    network('student', STUDENT_ROW, STUDENT),
    box(18, 93, 76, 'images', TEXT),
    arrow(`M94 110H120V${STUDENT_ROW + 17}H148`, TEXT),
    box(middle('stage2') - 60, TEACHER_ROW, 120, 'early classifier', STUDENT),
    arrow(`M${middle('stage2')} ${STUDENT_ROW}V${TEACHER_ROW + BOX_HEIGHT + 2}`, STUDENT),
    loss(`M${middle('logits')} ${STUDENT_ROW}V${TEACHER_ROW + 17}H${middle('stage2') + 62}`),
    text(460, TEACHER_ROW + 6, 'same answer?', LOSS),
  ].join('\n'),
  online: [
    pair('peer', 'student'),
    images(),
    across('logits', BOTH_ENDS),
    text(563, 114, 'each learns from the other', LOSS, 'end'),
  ].join('\n'),
  data_free: [
    pair(),
    images('generator', LOSS),
    across('logits'),
    text(563, 106, 'the student closes the gap,', LOSS, 'end'),
    text(563, 124, 'the generator widens it', LOSS, 'end'),
  ].join('\n'),
};

/** The SVG files by name. They have a background of their own, so that they can be read on light and on dark pages. */
export function methodFigures(): Record<string, string> {
  const named = Object.entries(figures).map(([family, inside]) => [
    `methods_${family}.svg`,
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="13">
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8Z" fill="context-stroke"/></marker></defs>
<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="8" fill="#fff" stroke="#d0d7de"/>
${inside}
</svg>
`,
  ]);
  return Object.fromEntries(named) as Record<string, string>;
}
