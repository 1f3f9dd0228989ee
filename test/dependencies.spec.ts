/**
 * Tests package.json and tools/licenses.ts. What the project is made of besides its own code: pinned, licensed, and run only
 * when it is imported.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { isAllowed, licenseTable, productionPackages } from '../tools/licenses';

const root = join(__dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Manifest {
  readonly name?: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}
interface Locked extends Manifest {
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly dev?: boolean;
}

const manifest = JSON.parse(read('package.json')) as Manifest & { allowScripts: Record<string, boolean> };
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
const others = Object.entries(packages).filter(([place]) => place !== '');
const nameOf = (place: string) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);

describe('dependencies', () => {
  it('are pinned: each by its version and the hash of its content, wherever it comes from', () => {
    const { dependencies, optionalDependencies, devDependencies } = packages['']!;
    expect({ dependencies, optionalDependencies, devDependencies }).to.deep.equal({
      dependencies: manifest.dependencies,
      optionalDependencies: manifest.optionalDependencies,
      devDependencies: manifest.devDependencies,
    });
    expect(others.length).to.be.above(100);
    for (const [place, { version, integrity, resolved }] of others) {
      expect(version, place).to.match(/^\d+\.\d+\.\d+/);
      expect(integrity, place).to.match(/^sha512-[A-Za-z0-9+/]{86}==$/);
      expect(resolved, place).to.equal(undefined);
    }
  });

  it('are installed without running anything of theirs', () => {
    expect(read('.npmrc').split('\n')).to.include('ignore-scripts=true');
    const withScripts = others.filter(([, { hasInstallScript }]) => hasInstallScript).map(([place]) => nameOf(place));
    expect(withScripts).to.include('onnxruntime-node');
    // Where someone sets that aside, each is refused by name.
    expect(manifest.allowScripts).to.deep.equal(Object.fromEntries(withScripts.map((name) => [name, false])));
  });

  it('of an installation all have licenses that allow it, which are listed', () => {
    const used = productionPackages();
    expect(used.filter((one) => !isAllowed(one))).to.deep.equal([]);
    expect(read('docs/licenses.md'), '"npm run licenses" writes it anew').to.equal(licenseTable(used));
  });

  it('say the same of their licenses themselves', () => {
    const installed = others.filter(([place]) => existsSync(join(root, place, 'package.json')));
    expect(installed.length).to.be.above(100);
    for (const [place, { license, version }] of installed) {
      const own = JSON.parse(read(join(place, 'package.json'))) as Manifest & { license?: string | { type: string } };
      if (own.version !== version) continue;
      const stated = typeof own.license === 'object' ? (own.license as { type: string }).type : own.license;
      expect(stated ?? license, place).to.equal(license);
    }
  });

  it('whose license is another one would be found out', () => {
    const licensed = (license: string, name = 'x') => isAllowed({ name, version: '1.0.0', license });
    for (const license of [
      'GPL-3.0-only',
      'AGPL-3.0-or-later',
      '',
      'UNLICENSED',
      'MIT AND GPL-2.0-only',
      'LGPL-3.0-or-later',
    ]) {
      expect(licensed(license), license).to.equal(false);
    }
    expect(licensed('(MIT OR GPL-3.0-only)')).to.equal(true);
    expect(licensed('Apache-2.0 AND LGPL-3.0-or-later', '@img/sharp-win32-x64')).to.equal(true);
  });

  it('are listed for other tools by npm run sbom: every one with its hash', function () {
    this.timeout(60_000);
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const { stdout } = spawnSync(npm, ['run', '--silent', 'sbom'], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
    const bill = JSON.parse(stdout) as {
      bomFormat: string;
      components: { name: string; version: string; purl: string; hashes: { alg: string; content: string }[] }[];
    };
    expect(bill.bomFormat).to.equal('CycloneDX');
    const listed = new Map(bill.components.map((one) => [`${one.name}@${one.version}`, one]));
    for (const [place, { version, integrity }] of others) {
      const one = listed.get(`${nameOf(place)}@${version}`);
      expect(one?.purl, place).to.equal(`pkg:npm/${nameOf(place).replace('@', '%40')}@${version}`);
      const content = Buffer.from(integrity!.replace('sha512-', ''), 'base64').toString('hex');
      expect(one!.hashes, place).to.deep.include({ alg: 'SHA-512', content });
    }
  });
});
