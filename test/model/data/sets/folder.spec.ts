import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import sharp, { type Sharp } from 'sharp';
import { randomRegion } from '../../../../model/data/augmentation/random_resized_crop';
import { pixelsOf, type Dataset, type FileSplit } from '../../../../model/data/dataset';
import { resized } from '../../../../model/data/images/resize';
import { loadFolder, type FolderParams } from '../../../../model/data/sets/folder';
import { allOf } from '../../../../model/evaluation/evaluator';
import { UserError } from '../../../../utils/errors';
import { Random } from '../../../../utils/random';

let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'folder-'));
  dir = join(root, 'images');
});
afterEach(() => rmSync(root, { recursive: true }));

const load = (changes: Partial<FolderParams> = {}): Promise<Dataset<FileSplit>> =>
  loadFolder({
    name: 'folder',
    dir,
    size: 16,
    test: 0.2,
    seed: 0,
    on_bad_image: 'refuse',
    cache: join(root, 'cache'),
    cache_gigabytes: 1,
    ...changes,
  });

/** The message of the UserError that is expected. */
async function refusal(changes: Partial<FolderParams> = {}): Promise<string> {
  const error: unknown = await load(changes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(UserError);
  expect((error as Error).message).to.not.include('\n');
  return (error as Error).message;
}

const plain = (width: number, height: number, background = 'red'): Sharp =>
  sharp({ create: { width, height, channels: 3, background } });

/** Noise that differs from image to image. */
function noise(width: number, height: number, seed: number): { image: Sharp; pixels: Uint8Array } {
  const values = new Float32Array(width * height * 3);
  new Random(seed, 'noise').fillUniform(values, 0, 256);
  const pixels = Uint8Array.from(values);
  return { image: sharp(pixels, { raw: { width, height, channels: 3 } }), pixels };
}

async function put(path: string, image: Sharp): Promise<string> {
  const whole = join(dir, path);
  mkdirSync(join(whole, '..'), { recursive: true });
  await image.toFile(whole);
  return whole;
}

/** A good image in each part and class, so that a data set can be made. */
async function others(): Promise<void> {
  for (const part of ['train', 'val']) {
    for (const name of ['a', 'b']) await put(`${part}/${name}/z.png`, plain(20, 20, 'blue'));
  }
}

/** Red, green and blue of a pixel of an image of 16 × 16. */
const colorAt = (pixels: Uint8Array, row: number, column: number) =>
  [0, 1, 2].map((channel) => pixels[channel * 256 + row * 16 + column]!);

function expectColor(found: readonly number[], expected: readonly number[], within = 6): void {
  found.forEach((value, i) =>
    expect(value, `${found.join()} is not ${expected.join()}`).to.be.closeTo(expected[i]!, within),
  );
}

describe('a folder of images', () => {
  it('has classes by the names of folders and tests on val, or on test with val to validate on', async () => {
    for (const name of ['cow', 'ant', 'Bee']) {
      await put(`train/${name}/1.png`, plain(20, 20));
      await put(`train/${name}/2.png`, plain(20, 20));
      await put(`val/${name}/1.png`, plain(20, 20));
    }
    const two = await load();
    expect(two.classes).to.deep.equal(['Bee', 'ant', 'cow']);
    expect([...two.train.labels]).to.deep.equal([0, 0, 1, 1, 2, 2]);
    expect([two.test.size, two.validation]).to.deep.equal([3, undefined]);
    await put('test/ant/1.png', plain(20, 20));
    const three = await load();
    expect([three.train.size, three.validation!.size, three.test.size]).to.deep.equal([6, 3, 1]);
    expect([...three.test.labels]).to.deep.equal([1]);
  });

  it('is parted by a share of each class where there are no parts', async () => {
    for (let i = 0; i < 10; i++) await put(`a/${i}.png`, noise(16, 16, i).image);
    for (let i = 0; i < 20; i++) await put(`b/${i}.png`, noise(16, 16, 10 + i).image);
    const split = await load({ test: 0.3 });
    const count = (labels: FileSplit['labels'], label: number) => [...labels].filter((own) => own === label).length;
    expect([count(split.train.labels, 0), count(split.test.labels, 0)]).to.deep.equal([7, 3]);
    expect([count(split.train.labels, 1), count(split.test.labels, 1)]).to.deep.equal([14, 6]);
    const seen = async (dataset: Dataset<FileSplit>, part: 'train' | 'test') => {
      const pixels = await pixelsOf(dataset[part], allOf(dataset[part]), dataset.shape);
      return Array.from({ length: dataset[part].size }, (_, i) =>
        Buffer.from(pixels.subarray(i * 768, (i + 1) * 768)).toString('base64'),
      );
    };
    const all = [...(await seen(split, 'train')), ...(await seen(split, 'test'))];
    expect(new Set(all).size).to.equal(30);
    expect(await seen(await load({ test: 0.3 }), 'test')).to.deep.equal(await seen(split, 'test'));
    expect(await seen(await load({ test: 0.3, seed: 1 }), 'test')).to.not.deep.equal(await seen(split, 'test'));
  });

  it('shows the middle of an image that needs no resizing as it is', async () => {
    const { image, pixels } = noise(30, 20, 1);
    await others();
    await put('train/a/0.png', image);
    const { train } = await load({ resize: 20 });
    expect(train.sizeOf(0)).to.deep.equal([20, 30]);
    const seen = await train.read(0);
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < 16; y++) {
        for (let x = 0; x < 16; x++) {
          expect(seen[channel * 256 + y * 16 + x]).to.equal(pixels[((y + 2) * 30 + x + 7) * 3 + channel]);
        }
      }
    }
  });

  it('leaves images as they are that have the size already, unless a resize is given or others have another', async () => {
    const { image, pixels } = noise(16, 16, 1);
    for (const name of ['train/a/0.png', 'train/b/0.png', 'val/a/0.png', 'val/b/0.png']) await put(name, image);
    const planes = Uint8Array.from({ length: 768 }, (_, i) => pixels[(i % 256) * 3 + Math.floor(i / 256)]!);
    const { train } = await load();
    expect(train.sizeOf(0)).to.deep.equal([16, 16]);
    expect(await train.read(0)).to.deep.equal(planes);
    const whole = { left: 0, top: 0, width: 16, height: 16 };
    expect(await train.read(0, whole)).to.deep.equal(planes);
    const given = await load({ resize: 18 });
    expect(given.train.sizeOf(0)).to.deep.equal([18, 18]);
    await put('train/a/1.png', plain(20, 16));
    const mixed = await load();
    expect([0, 1].map((example) => mixed.train.sizeOf(example))).to.deep.equal([
      [18, 18],
      [18, 22],
    ]);
  });

  it('brings a region to the size of the images as bilinear resampling does', async () => {
    const { image, pixels } = noise(48, 48, 2);
    await others();
    await put('train/a/0.png', image);
    const { train } = await load({ resize: 48 });
    const planes = Uint8Array.from({ length: 3 * 48 * 48 }, (_, i) => pixels[(i % 2304) * 3 + Math.floor(i / 2304)]!);
    const whole = await train.read(0, { left: 0, top: 0, width: 48, height: 48 });
    // A third of the size: every output pixel is one of the image's own resampling at 48, taken from the same region.
    const expected = resized(planes, [3, 48, 48], { left: 0, top: 0, width: 48, height: 48 });
    expect(expected).to.deep.equal(planes);
    const reference = await sharp(Buffer.from(pixels), { raw: { width: 48, height: 48, channels: 3 } })
      .resize(16, 16, { kernel: 'linear' })
      .raw()
      .toBuffer();
    whole.forEach((value, i) => expect(value).to.equal(reference[(i % 256) * 3 + Math.floor(i / 256)]));
    const random = new Random(3, 'test');
    for (let a = 0; a < 20; a++) {
      const draw = {
        uniform: (index: number) => random.uniform(index, a),
        integer: (bound: number, index: number) => random.integer(bound, index, a),
      };
      const region = randomRegion([48, 48], draw, { scale: 0.08, ratio: 4 / 3 });
      expect(await train.read(0, region)).to.have.length(768);
    }
  });

  it('reads every kind of image: turned, gray, CMYK, transparent, of 16 bits, animated, with another ending', async () => {
    await others();
    const at = (name: string) => `train/a/${name}`;
    const half = (width: number, height: number, left: string, right: string) =>
      plain(width, height, right).composite([
        { input: { create: { width: width / 2, height, channels: 3, background: left } }, left: 0, top: 0 },
      ]);
    // Orientation 6: the left half as stored is the upper half as seen.
    await put(at('0_turned.jpg'), half(32, 32, 'red', 'blue').withMetadata({ orientation: 6 }).jpeg({ quality: 100 }));
    await put(at('1_grey.jpg'), plain(32, 32, '#808080').toColourspace('b-w').jpeg());
    await put(at('2_cmyk.jpg'), plain(32, 32, 'white').toColourspace('cmyk').jpeg());
    const clear = { r: 0, g: 0, b: 255, alpha: 0 };
    await put(at('3_alpha.png'), sharp({ create: { width: 32, height: 32, channels: 4, background: clear } }).png());
    await put(at('4_deep.png'), plain(32, 32, '#402080').toColourspace('rgb16').png());
    const frames = await Promise.all(['lime', 'red'].map((color) => plain(32, 32, color).png().toBuffer()));
    await put(at('5_animated.gif'), sharp(frames, { join: { animated: true } }).gif());
    const png = await put(at('6.png'), plain(32, 32, 'yellow'));
    renameSync(png, png.replace('6.png', '6_other.JPG'));
    await put(at('7_turned_long.jpg'), half(160, 16, 'red', 'blue').withMetadata({ orientation: 6 }).jpeg());
    const { train } = await load();
    const seen = await Promise.all(Array.from({ length: 8 }, (_, i) => train.read(i)));
    expectColor(colorAt(seen[0]!, 2, 2), [255, 0, 0], 20);
    expectColor(colorAt(seen[0]!, 2, 13), [255, 0, 0], 20);
    expectColor(colorAt(seen[0]!, 13, 2), [0, 0, 255], 20);
    expectColor(colorAt(seen[1]!, 8, 8), [128, 128, 128]);
    expectColor(colorAt(seen[2]!, 8, 8), [255, 255, 255]);
    expectColor(colorAt(seen[3]!, 8, 8), [255, 255, 255]);
    expectColor(colorAt(seen[4]!, 8, 8), [64, 32, 128]);
    expectColor(colorAt(seen[5]!, 8, 8), [0, 255, 0]);
    expectColor(colorAt(seen[6]!, 8, 8), [255, 255, 0]);
    // 16 × 160 upright: the ends go, a height of four widths stays.
    expect(train.sizeOf(7)).to.deep.equal([72, 18]);
    expectColor(colorAt(seen[7]!, 0, 8), [255, 0, 0], 30);
    expectColor(colorAt(seen[7]!, 15, 8), [0, 0, 255], 30);
  });

  it('follows links to files and to folders, and leaves alone what is not called like an image', async () => {
    await others();
    const real = await put('elsewhere/x.png', plain(20, 20, 'lime'));
    symlinkSync(real, join(dir, 'train', 'a', 'link.png'));
    symlinkSync(join(dir, 'elsewhere'), join(dir, 'train', 'c'));
    for (const name of ['.hidden.png', 'notes.txt', 'no_ending']) writeFileSync(join(dir, 'train', 'a', name), 'text');
    mkdirSync(join(dir, 'train', '.git'));
    const { classes, train } = await load();
    expect(classes).to.deep.equal(['a', 'b', 'c']);
    expect([...train.labels]).to.deep.equal([0, 0, 1, 2]);
    expectColor(colorAt(await train.read(0), 8, 8), [0, 255, 0]);
  });

  it('says what is missing', async () => {
    expect(await refusal()).to.equal(`${dir}: not a folder`);
    mkdirSync(join(dir, 'train', 'a'), { recursive: true });
    expect(await refusal()).to.include(`${join(dir, 'train')}: 1 folder in it, but two or more classes`);
    mkdirSync(join(dir, 'train', 'b'));
    mkdirSync(join(dir, 'val'));
    await put('train/a/0.png', plain(20, 20));
    expect(await refusal()).to.include(`${join(dir, 'train', 'b')}: a class without images: remove the folder, or`);
    await put('train/b/0.png', plain(20, 20));
    expect(await refusal()).to.equal(`${dir}: contains no test images`);
    await put('val/c/0.png', plain(20, 20));
    expect(await refusal()).to.include(`${join(dir, 'val', 'c')}: a class without training images`);
    rmSync(join(dir, 'val', 'c'), { recursive: true });
    await put('val/a/0.png', plain(20, 20));
    writeFileSync(join(root, 'file'), '');
    expect(await refusal({ cache: join(root, 'file') })).to.include('set "dataset.cache" to another folder');
  });
});

describe('the layouts of image folders', () => {
  for (const name of ['valid', 'validation', 'dev', 'Val', 'VALID']) {
    it(`call ${name} what is validated on`, async () => {
      for (const one of ['a', 'b']) {
        for (let i = 0; i < 3; i++) await put(`train/${one}/${i}.png`, plain(20, 20));
        await put(`${name}/${one}/0.png`, plain(20, 20));
      }
      const { train, test, remarks } = await load();
      expect([train.size, test.size, remarks]).to.deep.equal([6, 2, []]);
    });
  }

  it('know the other parts by other names too, and name what is beside them', async () => {
    for (const folder of ['Training', 'valid', 'testing']) {
      for (const one of ['a', 'b']) await put(`${folder}/${one}/0.png`, plain(20, 20));
    }
    mkdirSync(join(dir, 'models'));
    mkdirSync(join(dir, 'unlabeled'));
    const { train, validation, test, remarks } = await load();
    expect([train.size, validation?.size, test.size]).to.deep.equal([2, 2, 2]);
    expect(remarks).to.deep.equal([
      `${dir}: ignored next to Training, since they are not splits of the data set: models, unlabeled`,
    ]);
    mkdirSync(join(dir, 'val'));
    expect(await refusal()).to.equal(`${dir}: both val and valid would be "val": move one of them elsewhere`);
  });

  it('take a folder called train for a class where others lie beside it', async () => {
    for (const one of ['bus', 'car', 'train']) {
      for (let i = 0; i < 5; i++) await put(`${one}/${i}.png`, plain(20, 20));
    }
    const { classes, train, test } = await load();
    expect([classes, train.size, test.size]).to.deep.equal([['bus', 'car', 'train'], 12, 3]);
  });

  it('may have folders within those of the classes, which are walked as torchvision walks them', async () => {
    await others();
    for (const [i, path] of ['b/2.png', 'b c/1.png', '9.png', 'b/a/3.png', '10.png', 'B/4.png'].entries()) {
      await put(`train/a/${path}`, plain(20, 20, `rgb(${40 * i}, 0, 0)`));
    }
    symlinkSync(join(dir, 'train', 'a'), join(dir, 'train', 'a', 'b', 'round'));
    const { train } = await load();
    expect(train.size).to.equal(8);
    const reds = await Promise.all([0, 1, 3, 4, 5, 6].map(async (i) => (await train.read(i))[0]! / 40));
    // 10.png, 9.png, z.png, B/4.png, b/2.png, b c/1.png, b/a/3.png
    expect(reds).to.deep.equal([4, 2, 5, 0, 1, 3]);
  });

  it('leave alone what is no image, and say so in one line', async () => {
    await others();
    for (const name of ['1.tga', '2.TGA', 'boxes.txt', '.DS_Store', '._z.png', 'README']) {
      writeFileSync(join(dir, 'train', 'a', name), 'x');
    }
    writeFileSync(join(dir, 'labels.txt'), 'x');
    await put('train/stray.png', plain(20, 20));
    const { train, remarks } = await load();
    expect(train.size).to.equal(2);
    expect(remarks).to.deep.equal([
      `${dir}: ignored: 2 .tga, 2 .txt, 2 hidden, 1 outside of class folders, 1 without an extension`,
    ]);
  });

  it('have no class without a readable image', async () => {
    await others();
    mkdirSync(join(dir, 'train', 'c'));
    writeFileSync(join(dir, 'train', 'c', '0.tga'), 'x');
    expect(await refusal()).to.include(`${join(dir, 'train', 'c')}: a class without images`);
    writeFileSync(join(dir, 'train', 'c', '0.png'), 'x');
    expect(await refusal({ on_bad_image: 'skip' })).to.equal(`${dir}: no training images for the class "c"`);
  });

  it('are refused with a word of what is meant where the classes are elsewhere', async () => {
    await put('outer/a/0.png', plain(20, 20));
    await put('outer/b/0.png', plain(20, 20));
    expect(await refusal()).to.include(
      '1 folder in it, but two or more classes with a folder each are needed; did you mean ',
    );
    rmSync(join(dir, 'outer'), { recursive: true });
    await put('train/0.png', plain(20, 20));
    expect(await refusal()).to.include('; 1 image outside of folders: set "dataset.labels" to');
  });

  it('may have a flat val, whose classes are asked for, and a flat test, which is left alone', async () => {
    for (const one of ['a', 'b']) await put(`train/${one}/0.png`, plain(20, 20));
    for (const i of [1, 2, 3]) await put(`val/ILSVRC2012_val_0000000${i}.JPEG`, plain(20, 20).jpeg());
    await put('test/0.png', plain(20, 20));
    expect(await refusal()).to.equal(
      `${join(dir, 'val')}: 3 images without class folders, like ImageNet's validation images: ` +
        'set "dataset.labels" to the list of their classes',
    );
    const list = (text: string) => writeFileSync(join(dir, 'val.txt'), text);
    const labels = async () => [...(await load({ labels: 'val.txt' })).test.labels];
    list('ILSVRC2012_val_00000003.JPEG 1\nILSVRC2012_val_00000001.JPEG 0\nILSVRC2012_val_00000002.JPEG 1\n');
    expect(await labels()).to.deep.equal([1, 0, 1]);
    list('b\na\nb\n');
    expect(await labels()).to.deep.equal([1, 0, 1]);
    list('ImageId,PredictionString\nILSVRC2012_val_00000002,b 1 2 3 4\nILSVRC2012_val_00000001,a 1 2 3 4 a 5 6 7 8\n');
    const { test, remarks } = await load({ labels: 'val.txt' });
    expect([...test.labels]).to.deep.equal([1, 0]);
    expect(remarks).to.deep.equal([`${dir}: ignored: 2 without a label, 1 .txt`]);
    rmSync(join(dir, 'val'), { recursive: true });
    await put('val/a/0.png', plain(20, 20));
    expect((await load()).remarks).to.include(`${join(dir, 'test')}: ignored: no class information for 1 image`);
    rmSync(join(dir, 'val'), { recursive: true });
    for (const i of [1, 2, 3]) await put(`val/ILSVRC2012_val_0000000${i}.JPEG`, plain(20, 20).jpeg());
    list('490\n361\n171\n');
    expect(await refusal({ labels: 'val.txt' })).to.include("contains only numbers, possibly those of ImageNet's");
    list('b\na\n');
    expect(await refusal({ labels: 'val.txt' })).to.equal(`${join(dir, 'val.txt')}: 2 classes for 3 images in ${dir}`);
    list('ILSVRC2012_val_00000003.JPEG c\n');
    expect(await refusal({ labels: 'val.txt' })).to.equal(
      `${join(dir, 'val.txt')}: row 1: "c" is not a training class: there are 2, from "a" to "b"`,
    );
  });

  it('may be that of Tiny ImageNet', async () => {
    for (const one of ['n02', 'n01']) {
      await put(`train/${one}/images/${one}_0.JPEG`, plain(64, 64).jpeg());
      writeFileSync(join(dir, 'train', one, `${one}_boxes.txt`), `${one}_0.JPEG\t0\t0\t62\t62\n`);
    }
    for (const i of [0, 1, 2]) await put(`val/images/val_${i}.JPEG`, plain(64, 64).jpeg());
    await put('test/images/test_0.JPEG', plain(64, 64).jpeg());
    const rows = ['n02', 'n01', 'n02'].map((one, i) => `val_${i}.JPEG\t${one}\t0\t32\t44\t62\n`);
    writeFileSync(join(dir, 'val', 'val_annotations.txt'), rows.join(''));
    writeFileSync(join(dir, 'wnids.txt'), 'n02\nn01\n');
    const { classes, train, test, validation } = await load();
    expect([classes, train.size, validation]).to.deep.equal([['n01', 'n02'], 2, undefined]);
    expect([...test.labels]).to.deep.equal([1, 0, 1]);
  });
});

describe('lists of paths and labels', () => {
  const write = (name: string, text: string) => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, name), text);
  };
  const colors = ['red', 'lime', 'blue', 'white', 'black'];
  const images = async (folder = 'images', ending = 'png') => {
    for (const [i, color] of colors.entries()) await put(`${folder}/${i}.${ending}`, plain(20, 20, color));
  };

  for (const [kind, text] of Object.entries({
    'a header and paths':
      'path,label\nimages/0.png,cat\nimages/1.png,dog\nimages/2.png,cat\nimages/3.png,dog\nimages/4.png,dog\n',
    'names without an ending, a BOM and CRLF': '\ufeffimage_id,breed\r\n0,cat\r\n1,dog\r\n2,cat\r\n3,dog\r\n4,dog\r\n',
    'quotes, blanks and an index':
      ',file_name,label\n0,"images/0.png", "cat"\n1,1.png,dog\n2,2.png,cat\n3,3.png,dog\n4,4.png,dog\n',
    'semicolons and other columns':
      'ClassId;Width;Path\ncat;20;0.png\ndog;20;1.png\ncat;20;2.png\ndog;20;3.png\ndog;20;4.png\n',
    'paths of another machine':
      'filename,label\nC:\\data\\images\\0.png,cat\n/home/x/images/1.png,dog\n./images/2.png,cat\n3.png,dog\n4.png,dog\n',
    'no header': 'images/0.png cat\nimages/1.png dog\nimages/2.png cat\nimages/3.png dog\nimages/4.png dog',
  })) {
    it(`may have ${kind}`, async () => {
      await images();
      write('labels.csv', text);
      const { classes, train, test } = await load({ labels: 'labels.csv', test: 0.4 });
      expect(classes).to.deep.equal(['cat', 'dog']);
      expect([train.size, test.size]).to.deep.equal([3, 2]);
      const seen = await Promise.all([0, 1, 2].map((i) => train.read(i)));
      const found = [...train.labels].map((label, i) => [label, colorAt(seen[i]!, 8, 8).join()]);
      const own: Record<string, number> = { '255,0,0': 0, '0,255,0': 1, '0,0,255': 0, '255,255,255': 1, '0,0,0': 1 };
      for (const [label, color] of found) expect(own[color as string]).to.equal(label);
    });
  }

  it('may tell the part of an image, by a column or by their names', async () => {
    await images();
    write('a.csv', 'name,label,split\n0.png,3,train\n1.png,10,train\n2.png,3,valid\n3.png,10,test\n4.png,3,test\n');
    const one = await load({ labels: 'a.csv' });
    expect(one.classes).to.deep.equal(['3', '10']);
    expect([one.train.size, one.validation!.size, one.test.size]).to.deep.equal([2, 1, 2]);
    write('b.csv', 'name,label,is_valid\n0.png,x,False\n1.png,y,False\n2.png,x,True\n');
    expect([...(await load({ labels: 'b.csv' })).test.labels]).to.deep.equal([0]);
    write('train.txt', '0.png x\n1.png y\n');
    write('val.txt', '3.png y\n');
    expect([...(await load({ labels: ['train.txt', 'val.txt'] })).test.labels]).to.deep.equal([1]);
  });

  it('may be of other columns, which are then named', async () => {
    await images();
    write('a.csv', 'who,when,what\n0,1,x\n1,1,y\n2,1,x\n3,1,y\n');
    expect(await refusal({ labels: 'a.csv' })).to.equal(
      `${join(dir, 'a.csv')}: its columns are "who", "when", "what"; name them: ` +
        '"labels": {"file": …, "image": COLUMN, "label": COLUMN}',
    );
    const { train, test } = await load({ labels: { file: 'a.csv', image: 'who', label: 'what' }, test: 0.5 });
    expect([train.size, test.size]).to.deep.equal([2, 2]);
    expect(await refusal({ labels: { file: 'a.csv', image: 'whom', label: 'what' } })).to.include(
      'no column "whom": its columns are "who"',
    );
  });

  it('name the row that fits no image, or two', async () => {
    await images();
    write('a.csv', 'name,label\n0.png,x\n7.png,y\n8.png,y\n');
    expect(await refusal({ labels: 'a.csv' })).to.equal(
      `${join(dir, 'a.csv')}: row 2: no image "7.png" in ${dir}, nor 1 others`,
    );
    await images('more');
    write('a.csv', 'name,label\n0.png,x\n');
    expect(await refusal({ labels: 'a.csv' })).to.include('row 1: "0.png" may be images/0.png or more/0.png');
    write('a.csv', 'name,label\n0.png,\n');
    expect(await refusal({ labels: 'a.csv' })).to.equal(`${join(dir, 'a.csv')}: row 1: no class for "0.png"`);
    write('a.csv', '');
    expect(await refusal({ labels: 'a.csv' })).to.equal(`${join(dir, 'a.csv')}: an empty list`);
    write('a.csv', 'path,');
    expect(await refusal({ labels: 'a.csv' })).to.equal(`${join(dir, 'a.csv')}: a header and no rows`);
  });
});

describe('bad images', () => {
  const names = ['0_cut.jpg', '1_empty.jpg', '2_text.jpg', '3_huge.png', '4_gone.png', '5_loop.png', '6_svg.jpg'];
  const reasons = [
    /premature end|truncated/i,
    /an empty file/,
    /unsupported image format/,
    /it has 20000 × 20000 pixels, accepted are up to 268435456 in total/,
    /broken link/,
    /broken link/,
    /unsupported image format/,
  ];
  beforeEach(async () => {
    await others();
    const at = (i: number) => join(dir, 'train', 'a', names[i]!);
    const whole = await noise(60, 60, 1).image.jpeg().toBuffer();
    writeFileSync(at(0), whole.subarray(0, whole.length / 2));
    writeFileSync(at(1), '');
    writeFileSync(at(2), 'no image at all');
    const png = await plain(10, 10).png().toBuffer();
    png.writeUInt32BE(20000, 16);
    png.writeUInt32BE(20000, 20);
    writeFileSync(at(3), fixedHeader(png));
    symlinkSync(join(dir, 'nowhere.png'), at(4));
    symlinkSync(at(5), at(5));
    writeFileSync(at(6), '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="30"/>');
  });

  it('are refused by name, with the reason and how many there are', async () => {
    const message = await refusal();
    expect(message).to.match(reasons[0]!);
    expect(message.startsWith(`${join(dir, 'train', 'a', names[0]!)}: `)).to.equal(true);
    expect(message).to.include(', and 6 more bad images; remove bad images, or set "dataset.on_bad_image" to "skip"');
    // What is known already is said again.
    expect(await refusal()).to.equal(message);
  });

  it('are skipped by name where params.json says so', async () => {
    for (let time = 0; time < 2; time++) {
      const { train, remarks } = await load({ on_bad_image: 'skip' });
      expect([...train.labels]).to.deep.equal([0, 1]);
      expectColor(colorAt(await train.read(0), 8, 8), [0, 0, 255]);
      expect(remarks).to.have.length(7);
      remarks!.forEach((remark, i) => {
        expect(remark)
          .to.include(join('train', 'a', names[i]!))
          .and.to.match(reasons[i]!, remark);
        expect(remark.endsWith('; skipped')).to.equal(true);
      });
    }
  });

  /** The image header of a PNG with the CRC that its new content has. */
  function fixedHeader(png: Buffer): Buffer {
    let crc = 0xffffffff;
    for (const byte of png.subarray(12, 29)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    png.writeUInt32BE((crc ^ 0xffffffff) >>> 0, 29);
    return png;
  }
});

describe('the cache of a folder', () => {
  const cached = () => {
    const [folder] = existsSync(join(root, 'cache')) ? readdirSync(join(root, 'cache')) : [];
    return folder ? readdirSync(join(root, 'cache', folder)).map((name) => join(root, 'cache', folder, name)) : [];
  };
  let path: string;
  beforeEach(async () => {
    await others();
    path = await put('train/a/0.png', plain(20, 20, 'red').png({ compressionLevel: 0 }));
  });

  /** The same image in another color, of as many bytes. */
  async function repaint(): Promise<void> {
    const { size, mtime } = statSync(path);
    writeFileSync(path, await plain(20, 20, 'lime').png({ compressionLevel: 0 }).toBuffer());
    expect(statSync(path).size).to.equal(size);
    utimesSync(path, mtime, mtime);
  }

  it('is used as long as a file has the same size and time of change, and no longer', async () => {
    utimesSync(path, 1000, 1000);
    expectColor(colorAt(await (await load()).train.read(0), 8, 8), [255, 0, 0]);
    expect(cached()).to.have.length(6);
    await repaint();
    utimesSync(path, 1000, 1000);
    expectColor(colorAt(await (await load()).train.read(0), 8, 8), [255, 0, 0]);
    utimesSync(path, 2000, 2000);
    expectColor(colorAt(await (await load()).train.read(0), 8, 8), [0, 255, 0]);
    // What was kept of the image before is gone.
    expect(cached()).to.have.length(6);
  });

  it('gives the same pixels as the files, and may be absent, broken or small', async () => {
    const region = { left: 1, top: 2, width: 13, height: 9 };
    const { image } = noise(33, 41, 5);
    await put('train/a/1.png', image);
    const first = await load();
    const seen = [await first.train.read(1), await first.train.read(1, region)];
    const same = async (dataset: Dataset<FileSplit>) => {
      expect([await dataset.train.read(1), await dataset.train.read(1, region)]).to.deep.equal(seen);
    };
    for (const file of cached().filter((name) => name.endsWith('.rgb'))) rmSync(file);
    await same(first);
    const again = await load();
    await same(again);
    for (const file of cached()) writeFileSync(file, 'broken');
    await same(again);
    await same(await load());
    rmSync(join(root, 'cache'), { recursive: true });
    await same(await load({ cache_gigabytes: 0 }));
    expect(cached().map((name) => name.endsWith('index.json'))).to.deep.equal([true]);
  });

  it('is read once where the images fit in memory, as are the files of images without it', async () => {
    for (const params of [{}, { cache_gigabytes: 0 }]) {
      await put('train/a/0.png', noise(33, 41, 3).image);
      const { train } = await load(params);
      const pixels = await train.read(0);
      rmSync(join(root, 'cache'), { recursive: true });
      writeFileSync(path, 'damaged');
      expect(await train.read(0)).to.deep.equal(pixels);
      const region = { left: 0, top: 0, width: 16, height: 16 };
      expect(await train.read(0, region), 'of another place').to.not.deep.equal(pixels);
    }
  });

  it('is of one size of images: others have their own', async () => {
    await load();
    await load({ size: 24 });
    expect(readdirSync(join(root, 'cache'))).to.have.length(2);
  });

  it('does without a file that can no longer be read, and says so', async () => {
    const { train } = await load({ cache_gigabytes: 0 });
    writeFileSync(path, 'damaged');
    const error: unknown = await train.read(0).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(UserError);
    expect((error as Error).message).to.match(/0\.png: .*; it was readable when the run started$/);
    writeFileSync(path, await plain(20, 40).png().toBuffer());
    const other: unknown = await train.read(0).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect((other as Error).message).to.equal(`${path}: has changed since the run started`);
  });

  it('holds an index that names every file', async () => {
    await load();
    const index = JSON.parse(
      readFileSync(
        cached().find((name) => name.endsWith('index.json'))!,
        'utf8',
      ),
    ) as [string][];
    expect(index.map(([file]) => file).sort()).to.deep.equal(
      ['train/a/0.png', 'train/a/z.png', 'train/b/z.png', 'val/a/z.png', 'val/b/z.png'].map((file) => join(file)),
    );
  });
});
