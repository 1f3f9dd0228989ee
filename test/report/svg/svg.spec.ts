/** Pictures as text: nothing in them is read as markup that is not meant to be, and the figures are in them. */
import { inflateSync } from 'node:zlib';
import { expect } from 'chai';
import { pngDataUri } from '../../../formats/png';
import { confusionPicture } from '../../../report/svg/confusion';
import { imagesPicture } from '../../../report/svg/images';
import { softTargetsPicture } from '../../../report/svg/soft_targets';
import { element, picture, render, text, thumbnail } from '../../../report/svg/svg';

/** The texts of a picture, in their order. */
const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, content]) => content);
const countOf = (svg: string, tag: string) => svg.split(`<${tag}`).length - 1;

describe('svg', () => {
  it('renders elements, attributes and children', () => {
    const group = element('g', { id: 'a' }, element('rect', { x: 1, width: 0.125 }), text(2, 3.14159, 'three'));
    expect(render(group)).to.equal('<g id="a"><rect x="1" width="0.13"/><text x="2" y="3.14">three</text></g>');
  });

  it('escapes what is markup, in texts and attributes', () => {
    const hostile = `</text><script>alert("&')</script>`;
    const escaped = '&#60;/text&#62;&#60;script&#62;alert(&#34;&#38;&#39;)&#60;/script&#62;';
    expect(render(text(0, 0, hostile))).to.equal(`<text x="0" y="0">${escaped}</text>`);
    expect(render(element('g', { id: hostile }))).to.equal(`<g id="${escaped}"/>`);
  });

  it('replaces characters that XML forbids', () => {
    expect(render('a\x00b\x1bc\ud800d\udc00e\ufffff\t\n😀ü')).to.equal('a�b�c�d�e�f\t\n😀ü');
  });

  it('makes a picture wide enough for its title', () => {
    const width = (svg: string) => Number(/ width="(\d+)"/.exec(svg)![1]);
    expect(width(picture(500, 10, 'short', []))).to.equal(500);
    expect(width(picture(500, 10, 'x'.repeat(100), []))).to.be.greaterThan(800);
    expect(picture(10, 10, '<', [])).to.match(/^<\?xml .*<svg xmlns="http:\/\/www.w3.org\/2000\/svg" .*<title>&#60;</s);
  });
});

describe('pngDataUri', () => {
  /** The chunks of a PNG by type. */
  function chunksOf(uri: string): Map<string, Buffer> {
    const bytes = Buffer.from(uri.replace('data:image/png;base64,', ''), 'base64');
    expect(bytes.subarray(0, 8)).to.deep.equal(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
    const chunks = new Map<string, Buffer>();
    for (let at = 8; at < bytes.length;) {
      const length = bytes.readUInt32BE(at);
      chunks.set(bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + 12 + length));
      at += 12 + length;
    }
    return chunks;
  }

  it('holds the pixels of three planes, row by row', () => {
    // Two rows of three pixels: red counts from 1, green from 11, blue from 21.
    const planes = Uint8Array.from({ length: 18 }, (_, i) => 1 + (i % 6) + 10 * Math.floor(i / 6));
    const chunks = chunksOf(pngDataUri(planes, [3, 2, 3]));
    expect([...chunks.keys()]).to.deep.equal(['IHDR', 'IDAT', 'IEND']);
    // Width 3, height 2, 8 bits, RGB, the only compression, filter and interlace.
    expect([...chunks.get('IHDR')!.subarray(0, 13)]).to.deep.equal([0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
    const rows = inflateSync(chunks.get('IDAT')!.subarray(0, -4));
    expect([...rows]).to.deep.equal([0, 1, 11, 21, 2, 12, 22, 3, 13, 23, 0, 4, 14, 24, 5, 15, 25, 6, 16, 26]);
    // The check sum that every PNG ends with.
    expect(chunks.get('IEND')).to.deep.equal(Buffer.from([0xae, 0x42, 0x60, 0x82]));
  });

  it('holds one plane as gray', () => {
    const chunks = chunksOf(pngDataUri(Uint8Array.of(7, 9), [1, 2, 1]));
    expect([...chunks.get('IHDR')!.subarray(0, 10)]).to.deep.equal([0, 0, 0, 1, 0, 0, 0, 2, 8, 0]);
    expect([...inflateSync(chunks.get('IDAT')!.subarray(0, -4))]).to.deep.equal([0, 7, 0, 9]);
  });

  it('refuses another number of planes', () => {
    expect(() => pngDataUri(new Uint8Array(2), [2, 1, 1])).to.throw('channels must be 1 or 3, got 2');
  });
});

describe('confusionPicture', () => {
  const counts = [
    [8, 2],
    [0, 5],
  ];

  it('shows the counts by row, without zeros, among the names', () => {
    const svg = confusionPicture(counts, ['cat', 'dog'], 'title');
    expect(textsOf(svg)).to.deep.equal(['title', 'predicted', 'true', 'cat', 'cat', 'dog', 'dog', '8', '2', '5']);
    expect(svg).to.include('<title>true cat, predicted dog: 2 of 10</title>');
  });

  it('shades by share of the row: blue where right, red where not, white for none', () => {
    const svg = confusionPicture(counts, ['cat', 'dog'], 'title');
    const fills = [...svg.matchAll(/fill="(rgb[^"]+)"/g)].map(([, fill]) => fill);
    const [right, wrong, none, all] = fills.map((fill) => fill!.match(/\d+/g)!.map(Number));
    expect(all).to.deep.equal([24, 100, 171]);
    expect(right![2]).to.be.greaterThan(right![0]!);
    expect(wrong![0]).to.be.greaterThan(wrong![2]!);
    expect(none).to.deep.equal([255, 255, 255]);
  });

  it('leaves the counts of many classes to the titles of the cells', () => {
    const many = Array.from({ length: 100 }, (_, i) => Array.from({ length: 100 }, (_, k) => (i === k ? 7 : 0)));
    const svg = confusionPicture(
      many,
      many.map((_, i) => `c${i}`),
      'title',
    );
    expect(textsOf(svg)).not.to.include('7');
    expect(svg).to.include('<title>true c99, predicted c99: 7 of 7</title>');
  });
});

describe('softTargetsPicture', () => {
  const student = [0.25, 0.75];

  it('draws a bar for each class and network, as long as the probability', () => {
    const panel = { title: 'one', student, teacher: [0.5, 0.5] };
    const svg = softTargetsPicture([panel], ['cat', 'dog'], 'title');
    const bars = [...svg.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)" height="6" fill="(#\w+)"/g)];
    const lengths = bars.map(([, length]) => Number(length));
    [0.25, 0.5, 0.75, 0.5].forEach((share, i) => expect(lengths[i]! / lengths[2]!).to.be.closeTo(share / 0.75, 0.001));
    expect(new Set(bars.map(([, , fill]) => fill)).size).to.equal(2);
    expect(textsOf(svg)).to.include.members(['student', 'teacher', 'one', '0.25 / 0.50', '0.75 / 0.50']);
  });

  it('leaves out a teacher that there is not', () => {
    const svg = softTargetsPicture([{ title: 'one', student }], ['cat', 'dog'], 'title');
    expect(textsOf(svg)).to.deep.equal(['title', 'student', 'one', 'cat', '0.25', 'dog', '0.75']);
  });

  it('shows the ten largest of many classes, in their order', () => {
    const names = Array.from({ length: 30 }, (_, k) => `c${k}`);
    const svg = softTargetsPicture([{ title: 'one', student: names.map((_, k) => (k % 3) / 30) }], names, 'title');
    const shown = textsOf(svg).filter((content) => /^c\d/.test(content!));
    expect(shown).to.deep.equal(['c2', 'c5', 'c8', 'c11', 'c14', 'c17', 'c20', 'c23', 'c26', 'c29']);
  });
});

describe('imagesPicture', () => {
  it('shows each image with its caption', () => {
    const image = { planes: Uint8Array.of(1, 2, 3), shape: [3, 1, 1] as const, caption: ['cat as <dog>', 'loss 3'] };
    const svg = imagesPicture([image, image, image], 'title');
    expect(countOf(svg, 'image')).to.equal(3);
    expect(textsOf(svg).slice(0, 3)).to.deep.equal(['title', 'cat as &#60;dog&#62;', 'loss 3']);
    expect(svg).to.include(render(thumbnail(image.planes, image.shape, 0, 0, 96)));
  });

  it('may be empty', () => {
    expect(textsOf(imagesPicture([], 'title'))).to.deep.equal(['title']);
  });
});
