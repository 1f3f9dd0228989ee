/** Where a data set lies in the folder that users name: there, or where its archive and torchvision put it below. */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../../utils/errors';
import { isDirectory, isFile } from '../../../utils/files';

/** A form in which a data set is distributed. */
export interface Form {
  /** What it is called in messages: its first files. */
  readonly title: string;
  /** Of its files, one that tells it from others. */
  readonly mark: RegExp;
  /** The folders below the one that is named, in which archives and torchvision have it; each is called after the set. */
  readonly folders: readonly string[];
  /** Others, whose names say nothing of it. */
  readonly inside?: readonly string[];
}

/**
 * The folder in which one of the forms lies, and which. Where `dir` is not there, but what lies beside it is called as an
 * archive or torchvision call it, that is it.
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

/** As `placeOf`, or a UserError that says what is there in its stead. */
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
  throw new UserError(`${dir}: no ${files} of ${title} in it${archive ? `: unpack ${archive}` : ''}`);
}

/** Links count as what they lead to. */
function filesOf(path: string): string[] {
  return readdirSync(path).filter((name) => isFile(join(path, name)));
}
