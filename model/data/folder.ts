/**
 * Folders of images: `<dir>/{train,val,test}/<class>/*`, as torchvision's ImageFolder has them, or `<dir>/<class>/*`, of
 * which a part is held out to test on. Classes are the names of folders, in the order of their characters.
 */
import { readdirSync, statSync, type Stats } from 'node:fs';
import { extname, join } from 'node:path';
import { UserError } from '../../utils/errors';
import type { FolderParams } from '../../utils/params';
import { Random } from '../../utils/random';
import { counted } from '../../utils/words';
import { channelsFirst } from './channels_first';
import type { Dataset, FileSplit, Region } from './dataset';
import { decode, failure, readRegion, type Picture } from './image_file';
import { ImageIndex, type FoundFile } from './image_index';

const EXTENSIONS = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];
/** Those of the images of ImageNet. */
const normalize = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
/** Bad images that are named one by one. */
const NAMED = 20;

type Part = 'train' | 'val' | 'test';

interface LabelledFile extends FoundFile {
  readonly part: Part;
  readonly label: number;
}

/** An image that can be trained on, as it lies ready. */
interface ReadyImage {
  readonly path: string;
  /** Where it is kept decoded, if it is. */
  readonly cached: string | undefined;
  readonly height: number;
  readonly width: number;
  readonly label: number;
}

/**
 * Finds and checks the images of a folder: every file is decoded once, when it is seen for the first time. A UserError
 * names a bad one where these are refused, a class of a part that has no training images, or a folder without images.
 */
export async function loadFolder(
  params: FolderParams,
  onProgress?: (done: number, total: number) => void,
): Promise<Dataset<FileSplit>> {
  const { dir, size, on_bad_image: onBadImage } = params;
  const { classes, files } = filesOf(params);
  const { index, verdicts } = await ImageIndex.of(dir, files, {
    side: params.resize ?? Math.round((size * 8) / 7),
    cache: params.cache,
    maxBytes: params.cache_gigabytes * 1e9,
    onProgress,
  });
  const bad = files.flatMap(({ file }, i) => {
    const verdict = verdicts[i]!;
    return 'reason' in verdict ? [`${join(dir, file)}: ${verdict.reason}`] : [];
  });
  if (bad.length > 0 && onBadImage === 'refuse') {
    const more = bad.length > 1 ? `, and ${counted(bad.length - 1, 'more bad image')}` : '';
    throw new UserError(`${bad[0]}${more}; remove what is bad, or set "dataset.on_bad_image" to "skip"`);
  }
  const splitOf = (part: Part): FileSplit => {
    const images = files.flatMap(({ file, stats, label, part: own }, i): ReadyImage[] => {
      const verdict = verdicts[i]!;
      if (own !== part || 'reason' in verdict) return [];
      const { height, width, cached } = verdict;
      return [
        { path: join(dir, file), cached: cached ? index.cachePath(file, stats!) : undefined, height, width, label },
      ];
    });
    if (images.length === 0) throw new UserError(`${dir}: no image to ${part === 'train' ? 'train' : 'test'} on in it`);
    return splitFrom(images, index.side, size);
  };
  const has = (part: Part) => files.some((file) => file.part === part);
  return {
    name: 'folder',
    classes,
    shape: [3, size, size],
    normalize,
    augmentation: 'random_resized_crop+flip',
    train: splitOf('train'),
    ...(has('test') && has('val') && { validation: splitOf('val') }),
    test: splitOf(has('test') ? 'test' : 'val'),
    remarks: [
      ...bad.slice(0, NAMED).map((line) => `${line}; skipped`),
      ...(bad.length > NAMED ? [`${dir}: ${bad.length} bad images in all, skipped`] : []),
    ],
  };
}

/** The images of a part, read when they are wanted. */
function splitFrom(images: readonly ReadyImage[], side: number, size: number): FileSplit {
  const picture = async ({ path, height, width }: ReadyImage): Promise<Picture> => {
    const decoded = await decode(path, side).catch((error: unknown) => {
      throw new UserError(`${path}: ${failure(error)}; it was a good image when the run began`);
    });
    if (decoded.height !== height || decoded.width !== width) {
      throw new UserError(`${path}: changed since the run began`);
    }
    return decoded;
  };
  return {
    size: images.length,
    labels: Int32Array.from(images, ({ label }) => label),
    sizeOf: (example) => [images[example]!.height, images[example]!.width],
    read: async (example, region) => {
      const image = images[example]!;
      const place = region ?? middle(image, size);
      // What is no longer in the cache is decoded once more.
      const kept =
        image.cached === undefined ? undefined : await readRegion(image.cached, place, size).catch(() => undefined);
      return channelsFirst(kept ?? (await readRegion(await picture(image), place, size)), size * size);
    },
  };
}

/** The square of `side` in the middle. */
function middle({ height, width }: Pick<ReadyImage, 'height' | 'width'>, side: number): Region {
  return { left: Math.round((width - side) / 2), top: Math.round((height - side) / 2), width: side, height: side };
}

/** All files that may be images, class by class in the order of their names. */
function filesOf({ dir, test, seed }: FolderParams): { classes: string[]; files: LabelledFile[] } {
  const parts = foldersOf(dir);
  const isParted = parts.includes('train');
  const root = isParted ? 'train' : '';
  const classes = foldersOf(join(dir, root));
  if (classes.length < 2) {
    throw new UserError(
      `${join(dir, root)}: ${counted(classes.length, 'folder')} in it, but a folder is needed for each of two classes or more`,
    );
  }
  const found = (part: Part, folder: string): LabelledFile[] =>
    classes.flatMap((name, label) => imagesIn(dir, join(folder, name)).map((file) => ({ ...file, part, label })));
  const rest = (['val', 'test'] as const).filter((part) => isParted && parts.includes(part));
  for (const part of rest) {
    const unknown = foldersOf(join(dir, part)).find((name) => !classes.includes(name));
    if (unknown !== undefined) {
      throw new UserError(
        `${join(dir, part, unknown)}: a class without training images: ${join(dir, 'train')} has none`,
      );
    }
  }
  const train = found('train', root);
  if (rest.length > 0) return { classes, files: [...train, ...rest.flatMap((part) => found(part, part))] };
  return { classes, files: held(train, classes.length, test, seed) };
}

/** round(test · n) of the n images of each class become test images, drawn by the seed. */
function held(files: readonly LabelledFile[], classes: number, test: number, seed: number): LabelledFile[] {
  const random = new Random(seed, 'folder');
  const parted = Array.from({ length: classes }, (_, label) => {
    const own = files.filter((file) => file.label === label);
    const chosen = new Set(random.permutation(own.length, label).subarray(0, Math.round(test * own.length)));
    return own.map((file, i): LabelledFile => (chosen.has(i) ? { ...file, part: 'test' } : file));
  });
  return parted.flat();
}

/** The names of folders, and of links to folders, in a folder. */
function foldersOf(dir: string): string[] {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw new UserError(`${dir}: not a folder`);
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.') && (entry.isDirectory() || isFolderLink(dir, entry)))
    .map(({ name }) => name)
    .sort();
}

function isFolderLink(dir: string, entry: { name: string; isSymbolicLink(): boolean }): boolean {
  if (!entry.isSymbolicLink()) return false;
  const path = join(dir, entry.name);
  const stats = statsOf(path);
  // It may be that of a class, which must not be left out in silence.
  if (!stats) throw new UserError(`${path}: a link that leads nowhere`);
  return stats.isDirectory();
}

/** Files called like images, in a folder that need not be there; links count as what they lead to. */
function imagesIn(dir: string, folder: string): FoundFile[] {
  const path = join(dir, folder);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(path)
    .filter((name) => !name.startsWith('.') && EXTENSIONS.includes(extname(name).toLowerCase()))
    .sort()
    .map((name) => ({ file: join(folder, name), stats: statsOf(join(path, name)) }));
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    // A link to nothing, or one that leads back to itself.
    return undefined;
  }
}
