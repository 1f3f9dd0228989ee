/**
 * Tests model/data/images/. Decoded images beside what torchvision's loader, `Resize` and `CenterCrop` make of the same files.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { expect } from 'chai';
import { loadFolder } from '../../../../model/data/sets/folder';

const fixtures = join(__dirname, '..', '..', '..', 'fixtures', 'images');
const photographs = join(__dirname, '..', '..', '..', '..', '..', 'shared', 'data', 'hymenoptera_data');

interface Expected {
  readonly images: readonly { file: string; sides: number[]; pixels: string }[];
  readonly photographs: readonly { file: string; sides: number[]; values: string }[];
}

const expected = JSON.parse(readFileSync(join(fixtures, 'pixels.json'), 'utf8')) as Expected;

/** Largest and mean difference. */
function differences(found: Uint8Array, wanted: Uint8Array): { most: number; mean: number } {
  expect(found).to.have.lengthOf(wanted.length);
  const each = Array.from(found, (value, i) => Math.abs(value - wanted[i]!));
  return { most: Math.max(...each), mean: each.reduce((sum, value) => sum + value, 0) / each.length };
}

/** Of planes, the values of their pixels side by side. */
function interleaved(planes: Uint8Array): Uint8Array {
  const plane = planes.length / 3;
  return Uint8Array.from({ length: planes.length }, (_, i) => planes[(i % 3) * plane + Math.floor(i / 3)]!);
}

describe('the pixels of images', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'pixels-'));
  after(() => rmSync(scratch, { recursive: true }));

  /** Images of a folder in which they are one class, and the first of them is another and what is tested on. */
  async function seen(paths: readonly string[], size: number, resize: number, icc?: 'convert') {
    const dir = mkdtempSync(join(scratch, 'images-'));
    const put = (folder: string, i: number) => {
      mkdirSync(join(dir, folder), { recursive: true });
      symlinkSync(paths[i]!, join(dir, folder, `${String(i).padStart(3, '0')}${extname(paths[i]!)}`));
    };
    paths.forEach((_, i) => put('train/a', i));
    put('train/b', 0);
    put('val/a', 0);
    const { train } = await loadFolder({
      name: 'folder',
      dir,
      size,
      resize,
      ...(icc && { icc }),
      test: 0.2,
      seed: 0,
      on_bad_image: 'refuse',
      cache: join(scratch, 'cache'),
      cache_gigabytes: 1,
    });
    return Promise.all(
      paths.map(async (_, i) => ({ sides: train.sizeOf(i), pixels: interleaved(await train.read(i)) })),
    );
  }

  for (const { file, sides, pixels } of expected.images) {
    it(`of ${file} are those of torchvision`, async () => {
      const [found] = await seen([join(fixtures, file)], 20, 24);
      expect(found!.sides).to.deep.equal(sides);
      const { most, mean } = differences(found!.pixels, Buffer.from(pixels, 'base64'));
      // A large one is first brought near its size by the decoder.
      expect(most).to.be.at.most(file === 'large.jpg' ? 2 : 0);
      expect(mean).to.be.below(0.3);
    });
  }

  it('of 60 photographs are those of torchvision', async function () {
    if (!existsSync(photographs)) this.skip();
    this.timeout(60_000);
    const all = expected.photographs;
    expect(all).to.have.lengthOf(60);
    const found = await seen(
      all.map(({ file }) => join(photographs, file)),
      224,
      256,
    );
    const each = found.map(({ sides, pixels }, i) => {
      expect(sides).to.deep.equal(all[i]!.sides);
      const wanted = Buffer.from(all[i]!.values, 'base64');
      const step = Math.floor(pixels.length / wanted.length);
      return differences(
        Uint8Array.from(wanted, (_, place) => pixels[place * step]!),
        wanted,
      );
    });
    expect(Math.max(...each.map(({ most }) => most))).to.be.at.most(6);
    expect(Math.max(...each.map(({ mean }) => mean))).to.be.below(0.25);
  });

  it('heed a color profile where they should', async () => {
    const path = join(fixtures, 'profile.jpg');
    const [[kept], [converted]] = [await seen([path], 20, 24), await seen([path], 20, 24, 'convert')];
    const [own, other] = [kept!.pixels, converted!.pixels];
    expect(differences(other, own).mean).to.be.above(10);
    // Its red and green have changed places.
    const swapped = own.map((_, i) => own[i % 3 === 0 ? i + 1 : i % 3 === 1 ? i - 1 : i]!);
    expect(differences(other, swapped).mean).to.be.below(4);
  });
});
