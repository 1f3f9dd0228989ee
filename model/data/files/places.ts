/**
 * Finds a data set in the folder that the user names: directly in it, or in the subfolders that its archive and
 * torchvision create.
 */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../../utils/errors';
import { isDirectory, isFile } from '../../../utils/files';

/** A distribution format of a data set. */
export interface Form {
  /** Its name in messages: its first files. */
  readonly title: string;
  /** A file that identifies it. */
  readonly mark: RegExp;
  /** Subfolders that archives and torchvision use, named after the data set. */
  readonly folders: readonly string[];
  /** Other subfolders, whose names do not identify it. */
  readonly inside?: readonly string[];
}

/**
 * The folder that contains one of the formats, and which one. If `dir` does not exist, folders next to it with the
 * names that archives and torchvision use are tried.
 */
export function placeOf<F extends Form>(dir: string, forms: readonly F[]): { dir: string; form: F } | undefined {
  const isThere = isDirectory(dir);
  const foldersOf = ({ folders, inside = [] }: F) => (isThere ? ['', ...inside, ...folders] : folders);
  for (const folder of new Set(forms.flatMap(foldersOf))) {
    const place = join(isThere ? dir : dirname(dir), folder);
    const names = isDirectory(place) ? filesOf(place) : [];
    const form = forms.find((one) => foldersOf(one).includes(folder) && names.some((name) => one.mark.test(name)));
    if (form) return { dir: place, form };
  }
  return undefined;
}

/** As `placeOf`, but throws a UserError that says what exists instead. */
export function foundPlace<F extends Form>(
  dir: string,
  forms: readonly F[],
  title: string,
): { dir: string; form: F; remarks: readonly string[] } {
  const place = placeOf(dir, forms);
  if (place) return { ...place, remarks: place.dir === join(dir) ? [] : [`${title} is read from ${place.dir}`] };
  if (!isDirectory(dir)) throw new UserError(`${dir}: not a folder`);
  const archive = readdirSync(dir).find((name) => /\.(tar|tgz|tar\.gz|zip)$/.test(name));
  const files = forms.map((form) => form.title).join(' or ');
  throw new UserError(`${dir}: contains no ${files} of ${title}${archive ? `: unpack ${archive}` : ''}`);
}

/** Follows links. */
function filesOf(path: string): string[] {
  return readdirSync(path).filter((name) => isFile(join(path, name)));
}
