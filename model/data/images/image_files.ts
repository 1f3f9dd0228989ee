/** Finds image files in folders, in the order of torchvision's ImageFolder, and counts other files. */
import { readdirSync, statSync, type Stats } from 'node:fs';
import { extname, join } from 'node:path';
import { UserError } from '../../../utils/errors';
import { isDirectory } from '../../../utils/files';
import type { FoundImage } from './image_index';

const EXTENSIONS = '.jpg .jpeg .png .webp .gif .tif .tiff .avif .bmp .ppm .pgm .pbm'.split(' ');
/** Maximum kinds of files in the line about ignored files. */
const NAMED = 8;

/** Compares by code points, as Python does. */
export function byCharacters(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function isImageName(name: string): boolean {
  return EXTENSIONS.includes(extname(name).toLowerCase());
}

/** Counts of ignored files by kind. */
export class LeftAlone {
  private readonly counts = new Map<string, number>();

  add(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  addFile(name: string): void {
    if (name.startsWith('.')) this.add('hidden');
    else
      this.add(
        extname(name)
          .toLowerCase()
          .replace(/[^\x21-\x7e]/g, '?')
          .slice(0, 16) || 'without an extension',
      );
  }

  /** One line for the log, if any. */
  remarks(dir: string): string[] {
    if (this.counts.size === 0) return [];
    const kinds = [...this.counts].sort(([a, m], [b, n]) => n - m || byCharacters(a, b));
    const rest = kinds.slice(NAMED).reduce((sum, [, count]) => sum + count, 0);
    const shown = kinds.slice(0, NAMED).map(([kind, count]) => `${count} ${kind}`);
    return [`${dir}: ignored: ${[...shown, ...(rest > 0 ? [`${rest} others`] : [])].join(', ')}`];
  }
}

/** The entries of a folder, ordered by name; follows links and skips hidden entries. */
export function entriesOf(path: string, leftAlone?: LeftAlone): { folders: string[]; files: string[] } {
  if (!isDirectory(path)) throw new UserError(`${path}: not a folder`);
  const [folders, files]: [string[], string[]] = [[], []];
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const { name } = entry;
    if (name.startsWith('.')) leftAlone?.addFile(name);
    else if (entry.isDirectory() || (entry.isSymbolicLink() && leadsToFolder(join(path, name)))) folders.push(name);
    else files.push(name);
  }
  return { folders: folders.sort(byCharacters), files: files.sort(byCharacters) };
}

function leadsToFolder(path: string): boolean {
  const stats = statsOf(path);
  // It may be that of a class, which must not be left out in silence.
  if (!stats && !isImageName(path)) throw new UserError(`${path}: broken link`);
  return stats?.isDirectory() === true;
}

/** All image files in a folder below `dir` and its subfolders, folder by folder. */
export function imagesBelow(dir: string, folder: string, leftAlone?: LeftAlone): FoundImage[] {
  const places: string[] = [];
  const filesIn = new Map<string, string[]>();
  const walk = (place: string, above: readonly string[]): void => {
    const path = join(dir, place);
    // A link back to a folder that it lies in would go on for ever.
    const { dev, ino } = statSync(path);
    const id = `${dev}/${ino}`;
    if (above.includes(id)) return;
    const { folders, files } = entriesOf(path, leftAlone);
    places.push(place);
    filesIn.set(place, files);
    for (const name of folders) walk(join(place, name), [...above, id]);
  };
  walk(folder, []);
  return places.sort(byCharacters).flatMap((place) =>
    filesIn.get(place)!.flatMap((name) => {
      if (isImageName(name)) return [foundImage(dir, join(place, name))];
      leftAlone?.addFile(name);
      return [];
    }),
  );
}

function foundImage(dir: string, file: string): FoundImage {
  return { file, stats: statsOf(join(dir, file)) };
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    // A link to nothing, or one that leads back to itself.
    return undefined;
  }
}
