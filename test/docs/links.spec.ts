/** Tests docs/. Every relative link of the pages leads to a file, and every anchor to a heading. */
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect } from 'chai';
import { globSync } from 'fast-glob';
import { anchorsOf, filesNamedIn, linksOf, pages, root, textOf } from '../helpers/pages';

describe('links', () => {
  for (const page of pages) {
    it(`of ${page} lead somewhere`, () => {
      for (const link of linksOf(textOf(page))) {
        if (/^https?:/.test(link)) continue;
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? page : normalize(join(dirname(page), decodeURI(path)));
        expect(existsSync(join(root, target)), `${page}: ${link}`).to.equal(true);
        if (anchor !== undefined) expect([...anchorsOf(textOf(target))], `${page}: ${link}`).to.include(anchor);
      }
    });
  }

  it('lead from docs/README.md to every page of docs', () => {
    const linked = linksOf(textOf('docs/README.md')).map((link) => join('docs', link.split('#')[0]!));
    const own = pages.filter((page) => /^docs\/[^/]+\.md$/.test(page) && page !== 'docs/README.md');
    expect(own).to.include('docs/search.md');
    expect(linked).to.include.members(own);
  });

  it('and anchors are found as GitHub has them', () => {
    const text =
      '# A `b` c\n[x](y.md#z) `[no](link)`\n```ts\n# no heading\n[no](link)\n```\n## TensorFlow.js\n## A b c\n';
    expect(linksOf(text)).to.deep.equal(['y.md#z']);
    expect([...anchorsOf(text)]).to.deep.equal(['a-b-c', 'tensorflowjs', 'a-b-c-1']);
  });
});

describe('files that pages name', () => {
  const named = pages.flatMap((page) => filesNamedIn(textOf(page)).map((file) => ({ page, file })));

  it('are there', () => {
    expect(named.map(({ file }) => file)).to.include.members(['engine/graph.ts', 'model/data/']);
    for (const { page, file } of named) {
      expect(
        globSync(file, { cwd: root, onlyFiles: false, markDirectories: false }),
        `${page}: ${file}`,
      ).not.to.deep.equal([]);
    }
  });
});

describe('the README', () => {
  it('is two pages, with a picture at its top that is quick to load', () => {
    const text = textOf('README.md');
    expect(text.length).to.be.below(10_000);
    expect(text.indexOf('](docs/pictures/report.png)')).to.be.within(0, 1000);
  });
});
