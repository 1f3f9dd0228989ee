/**
 * The licences of all packages that an installation without development tools can bring, on any platform, as the lock file
 * has them: `npm run licences` writes docs/licences.md. Licences that ask for more than to be named are told apart.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Package {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly licence: string;
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { version?: string; license?: string; dev?: boolean; link?: boolean; name?: string }>
  >;
}

/** Those that allow use, change and distribution, and ask that their text goes along. */
const permissive = [
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
];

/** Packages whose licence asks for more, and why that is met. */
const exceptions: Readonly<Record<string, RegExp>> = {
  // libvips is a library of its own that sharp loads, and that anyone may replace, as the licence asks.
  'LGPL-3.0-or-later': /^@img\/sharp-(libvips|wasm32|win32)/,
};

const root = join(__dirname, '..');

/** The production packages of a lock file, by name and version, each once. */
export function productionPackages(path = join(root, 'package-lock.json')): Package[] {
  const { packages } = JSON.parse(readFileSync(path, 'utf8')) as Lock;
  const found = new Map<string, Package>();
  for (const [place, { version = '', license = '', dev, link, name }] of Object.entries(packages)) {
    if (place === '' || dev || link) continue;
    const own = name ?? place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    found.set(`${own}@${version}`, { name: own, version, licence: license });
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** Whether a package may be used: one of the licences between OR, and all between AND, are known to be fine for it. */
export function isAllowed({ name, licence }: Package): boolean {
  const isFine = (one: string) => permissive.includes(one) || (exceptions[one]?.test(name) ?? false);
  const alternatives = licence.replaceAll(/[()]/g, '').split(' OR ');
  return alternatives.some((alternative) => alternative.split(' AND ').every(isFine));
}

/** A table of licences with the packages of each. */
export function licenceTable(packages: readonly Package[]): string {
  const byLicence = new Map<string, string[]>();
  for (const { name, version, licence } of packages) {
    byLicence.set(licence, [...(byLicence.get(licence) ?? []), `${name} ${version}`]);
  }
  const lines = [...byLicence]
    .sort(([a, one], [b, other]) => other.length - one.length || (a < b ? -1 : 1))
    .map(([licence, names]) => `| ${licence} | ${names.length} | ${names.join(', ')} |\n`);
  return `# Licences of dependencies

${packages.length} packages, on all platforms together, of which an installation takes those of its own. Development tools are not
among them. \`npm run licences\` makes this list from package-lock.json.

| licence | packages | |
| --- | ---: | --- |
${lines.join('')}`;
}

if (require.main === module) writeFileSync(join(root, 'docs', 'licences.md'), licenceTable(productionPackages()));
