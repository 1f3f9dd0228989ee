/**
 * The licenses of all packages that an installation without development tools can bring, on any platform, as the lock file
 * has them: `npm run licenses` writes docs/licenses.md. Licenses that ask for more than to be named are told apart.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Package {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { version?: string; license?: string; dev?: boolean; link?: boolean; name?: string }>
  >;
}

/** Licenses that allow use, change and distribution, and require that their text is included. */
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

/** Packages whose license requires more, and why this is met. */
const exceptions: Readonly<Record<string, RegExp>> = {
  // libvips is a library of its own that sharp loads, and that anyone may replace, as the license asks.
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
    found.set(`${own}@${version}`, { name: own, version, license: license });
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** Whether a package may be used: one of the licenses between OR, and all between AND, are known to be fine for it. */
export function isAllowed({ name, license }: Package): boolean {
  const isFine = (one: string) => permissive.includes(one) || (exceptions[one]?.test(name) ?? false);
  const alternatives = license.replaceAll(/[()]/g, '').split(' OR ');
  return alternatives.some((alternative) => alternative.split(' AND ').every(isFine));
}

/** A table of licenses with the packages of each. */
export function licenseTable(packages: readonly Package[]): string {
  const byLicense = new Map<string, string[]>();
  for (const { name, version, license } of packages) {
    byLicense.set(license, [...(byLicense.get(license) ?? []), `${name} ${version}`]);
  }
  const lines = [...byLicense]
    .sort(([a, one], [b, other]) => other.length - one.length || (a < b ? -1 : 1))
    .map(([license, names]) => `| ${license} | ${names.length} | ${names.join(', ')} |\n`);
  return `# Licenses of dependencies

${packages.length} packages, on all platforms together, of which an installation takes those of its own. Development tools are not
among them. \`npm run licenses\` makes this list from package-lock.json.

| license | packages | |
| --- | ---: | --- |
${lines.join('')}`;
}

if (require.main === module) writeFileSync(join(root, 'docs', 'licenses.md'), licenseTable(productionPackages()));
