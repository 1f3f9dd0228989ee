/**
 * Folders of images: `<dir>/{train,val,test}/<class>/**`, as in torchvision's ImageFolder, or `<dir>/<class>/**`, of which a fraction is held out for testing. Classes are folder names in alphabetical order; for images outside of class folders, a list gives the classes, or there are none.
 */
import { join } from 'node:path';
import { UserError } from '../../../utils/errors';
import { isFile } from '../../../utils/files';
import type { Schema } from '../../../utils/schema';
import { integer, object, oneOf, text } from '../../../utils/schema_forms';
import { counted } from '../../../utils/words';
import type { Dataset, FileSplit } from '../dataset';
import { ofImages, type DatasetEntry } from '../dataset_entry';
import { partCalled, type Part } from '../files/parts';
import { entriesOf, imagesBelow, isImageName, LeftAlone } from '../images/image_files';
import {
  heldOut,
  imageSetOptions,
  loadImageSet,
  type ImageProgress,
  type ImageSet,
  type ImageSetParams,
  type LabelledImage,
} from '../images/image_set';
import type { ListSpec } from '../images/label_list';
import { listedImages, type Candidate } from '../images/listed_images';

/** Folders of images. */
export interface FolderParams extends ImageSetParams {
  readonly name: 'folder';
  readonly dir: string;
  /** Side of the images in pixels, as the network sees them. */
  readonly size: number;
  /**
   * Lists of the classes of images that lie in no folder of a class; of one, also which columns are what. False: no image has a
   * class, and folders but those of splits mean nothing.
   */
  readonly labels?: string | string[] | ListSpec | false;
}

/** Finds and checks the images of a folder. */
export async function loadFolder(params: FolderParams, onProgress?: ImageProgress): Promise<Dataset<FileSplit>> {
  return loadImageSet('folder', params.dir, imageSetIn(params), params, onProgress);
}

/** Tiny ImageNet's list of classes for its validation images. */
const TINY_LIST = 'val_annotations.txt';
/** What stands for the class of images without labels. */
const UNLABELED = 'unlabeled';
/** A kind of ignored files. */
const STRAY = 'outside of class folders';

/** Finds the images of the splits of a folder. */
type Parts = ReadonlyMap<Part, string>;

/** All image files, class by class, ordered by name. */
function imageSetIn(params: FolderParams): ImageSet {
  const { dir, labels } = params;
  if (labels === false) return unlabeledSet(params);
  const leftAlone = new LeftAlone();
  const { folders, files } = entriesOf(dir, leftAlone);
  const parts = partsOf(dir, folders);
  const isParted = parts.has('train');
  const root = isParted ? parts.get('train')! : '';
  const classes = isParted ? entriesOf(join(dir, root), leftAlone).folders : folders;
  for (const name of files) if (!isImageName(name)) leftAlone.addFile(name);
  const remarks = isParted ? besides(dir, folders, root) : [];
  const finished = (set: Omit<ImageSet, 'remarks'>): ImageSet => {
    const isWhole = set.images.some(({ part }) => part !== 'train');
    const images = isWhole ? set.images : heldOut(set.images, set.classes.length, params);
    return { ...set, images, remarks: [...remarks, ...leftAlone.remarks(dir)] };
  };

  if (labels !== undefined && (!isParted || classes.length < 2)) {
    const { others, ...set } = listedImages(dir, labels, candidatesIn(dir, parts, leftAlone));
    for (let i = 0; i < others; i++) leftAlone.add('without a label');
    return finished(set);
  }
  refuseFewer(dir, root, classes);
  const found = classes.flatMap((name, label) => classImages(dir, join(root, name), 'train', label, leftAlone));
  for (const name of isParted ? entriesOf(join(dir, root)).files : files) {
    if (isImageName(name)) leftAlone.add(STRAY);
  }
  const flat: Candidate[] = [];
  const rest = (['val', 'test'] as const).flatMap((part) => {
    const folder = isParted ? parts.get(part) : undefined;
    if (folder === undefined) return [];
    const own = imagesOfPart(dir, part, folder, classes, leftAlone);
    if (own) return own;
    const images = imagesBelow(dir, folder, leftAlone).map((image): Candidate => ({ ...image, part }));
    if (labels !== undefined) flat.push(...images);
    else if (images.length > 0) remarks.push(unlabeled(join(dir, folder), part, images.length));
    return [];
  });
  if (labels === undefined) return finished({ classes, images: [...found, ...rest] });
  const { images, others } = listedImages(dir, labels, flat, classes);
  for (let i = 0; i < others; i++) leftAlone.add('without a label');
  return finished({ classes, images: [...found, ...rest, ...images] });
}

/** All image files, none of which has a label. */
function unlabeledSet(params: FolderParams): ImageSet {
  const { dir } = params;
  const leftAlone = new LeftAlone();
  const { folders } = entriesOf(dir);
  const parts = partsOf(dir, folders);
  const found = candidatesIn(dir, parts, leftAlone).map((image): LabelledImage => ({
    ...image,
    part: image.part ?? 'train',
    label: 0,
  }));
  const isWhole = found.some(({ part }) => part !== 'train');
  return {
    classes: [UNLABELED],
    images: isWhole ? found : heldOut(found, 1, params),
    remarks: [...(parts.has('train') ? besides(dir, folders, parts.get('train')!) : []), ...leftAlone.remarks(dir)],
  };
}

/** The folders of the splits, if any: if class folders exist next to `train`, `train` is a class too. */
function partsOf(dir: string, folders: readonly string[]): Parts {
  const parts = new Map<Part, string>();
  const train = folders.find((name) => partCalled(name) === 'train');
  const hasOthers = folders.some((name) => partCalled(name) === undefined);
  if (train !== undefined && hasOthers && entriesOf(join(dir, train)).folders.length === 0) return parts;
  for (const name of folders) {
    const part = partCalled(name);
    if (!part) continue;
    const other = parts.get(part);
    if (other !== undefined) {
      throw new UserError(`${dir}: both ${other} and ${name} would be "${part}": move one of them elsewhere`);
    }
    parts.set(part, name);
  }
  return parts.has('train') ? parts : new Map();
}

/** A line about folders next to `train` that are not splits. */
function besides(dir: string, folders: readonly string[], train: string): string[] {
  const others = folders.filter((name) => partCalled(name) === undefined);
  if (others.length === 0) return [];
  const shown = others.slice(0, 5).join(', ') + (others.length > 5 ? ` and ${others.length - 5} more` : '');
  return [`${dir}: ignored next to ${train}, since they are not splits of the data set: ${shown}`];
}

function classImages(dir: string, folder: string, part: Part, label: number, leftAlone: LeftAlone): LabelledImage[] {
  const images = imagesBelow(dir, folder, leftAlone);
  if (images.length === 0 && part === 'train') {
    throw new UserError(
      `${join(dir, folder)}: a class without images: remove the folder, or put images there (accepted are JPEG, PNG, ` +
        'WebP, GIF, TIFF, AVIF, BMP, PPM, PGM and PBM)',
    );
  }
  return images.map((image) => ({ ...image, part, label }));
}

/** The images of `val` or `test`; undefined if they are not in class folders. */
function imagesOfPart(
  dir: string,
  part: Part,
  folder: string,
  classes: readonly string[],
  leftAlone: LeftAlone,
): LabelledImage[] | undefined {
  const path = join(dir, folder);
  const { folders } = entriesOf(path);
  if (isFile(join(path, TINY_LIST))) {
    const candidates = imagesBelow(dir, folder, leftAlone).map((image): Candidate => ({ ...image, part }));
    return [...listedImages(dir, join(folder, TINY_LIST), candidates, classes).images];
  }
  if (folders.every((name) => name === 'images' && !classes.includes(name))) return undefined;
  const unknown = folders.find((name) => !classes.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`${join(path, unknown)}: a class without training images: ${dir} has no such class`);
  }
  for (const name of entriesOf(path, leftAlone).files) {
    if (isImageName(name)) leftAlone.add(STRAY);
    else leftAlone.addFile(name);
  }
  return classes.flatMap((name, label) =>
    folders.includes(name) ? classImages(dir, join(folder, name), part, label, leftAlone) : [],
  );
}

/** Handles images without class information: test images are ignored, as in most competitions. */
function unlabeled(path: string, part: Part, images: number): string {
  if (part === 'test') return `${path}: ignored: no class information for ${counted(images, 'image')}`;
  throw new UserError(
    `${path}: ${counted(images, 'image')} without class folders, like ImageNet's validation images: ` +
      'set "dataset.labels" to the list of their classes',
  );
}

/** Images of a data set whose classes are in a list. */
function candidatesIn(dir: string, parts: Parts, leftAlone: LeftAlone): Candidate[] {
  if (parts.size === 0) return imagesBelow(dir, '', leftAlone).map((image) => ({ ...image, part: undefined }));
  return [...parts].flatMap(([part, folder]) =>
    imagesBelow(dir, folder, leftAlone).map((image) => ({ ...image, part })),
  );
}

/** Throws a UserError that says what exists instead of two or more classes. */
function refuseFewer(dir: string, root: string, classes: readonly string[]): void {
  if (classes.length >= 2) return;
  const path = join(dir, root);
  const images = entriesOf(path).files.filter(isImageName).length;
  const [only] = classes;
  const wrapped = only !== undefined && entriesOf(join(path, only)).folders.length >= 2;
  const hint = wrapped
    ? `; did you mean ${join(path, only)}?`
    : images > 0
      ? `; ${counted(images, 'image')} outside of folders: set "dataset.labels" to the list of their classes`
      : '';
  throw new UserError(
    `${path}: ${counted(classes.length, 'folder')} in it, but two or more classes with a folder each are needed${hint}`,
  );
}

/** A list of classes by its path, several, one with the names of its columns, or no labels: the form that `given` has. */
function labelsSchema(given: unknown): Schema {
  const name = text({ minLength: 1 });
  const title =
    'Lists of the classes of images that are in no folder of a class; `false` for images without labels, for the method `embedding`.';
  if (given === false) return oneOf([false], { title });
  if (Array.isArray(given)) return { type: 'array', items: name, minItems: 1, maxItems: 10, title };
  if (typeof given === 'object' && given !== null) {
    return object({ file: name, image: name, label: name, split: name }, ['file'], { title });
  }
  return { ...name, description: 'the path of a list, a list of such, an object with "file", or false', title };
}

export const folder: DatasetEntry<FolderParams, Dataset<FileSplit>> = {
  options: ({ size, labels }) => ({
    dir: text({ title: 'Directory of the files.' }),
    size: integer({
      minimum: 8,
      maximum: 4096,
      default: 224,
      title: 'Side of the images in pixels.',
    }),
    labels: labelsSchema(labels),
    ...imageSetOptions(size),
  }),
  required: ['dir'],
  isUnlabeled: ({ labels }) => labels === false,
  hasNoLabels: ({ labels }) => labels === false,
  load: (params, onProgress) => loadFolder(params, ofImages(onProgress)),
};
