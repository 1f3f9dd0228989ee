import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { bundle } from '../../../report/page/bundle';
import { pageData, type PageData } from '../../../report/page/data';
import { jsonText, renderPage } from '../../../report/page/html';
import { makeTable } from '../../../report/table/table';

const empty = pageData(makeTable([]), 'experiments');
const nasty = '</script><img src=x onerror=alert(1)><!-- "\'&\u2028';

describe('renderPage', () => {
  const data: PageData = { ...empty, title: nasty, notes: [nasty] };
  const page = renderPage(data);
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;

  it('keeps what comes from files as text', () => {
    expect(page).not.to.include('<img');
    expect(page).to.include(
      '<title>&#60;/script&#62;&#60;img src=x onerror=alert(1)&#62;&#60;!-- &#34;&#39;&#38;\u2028</title>',
    );
    const text = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)![1]!;
    expect(text).not.to.include('<');
    expect(JSON.parse(text)).to.deep.equal(data);
    expect(JSON.parse(jsonText(data))).to.deep.equal(data);
  });

  it('allows its own scripts and styles, and nothing else', () => {
    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script]) => hash(script!));
    const [style] = [...page.matchAll(/<style>(.*?)<\/style>/gs)].map(([, text]) => hash(text!));
    expect(scripts).to.have.lengthOf(3);
    expect(policy.split('; ')).to.deep.equal([
      "default-src 'none'",
      `script-src ${scripts.join(' ')}`,
      `style-src ${style}`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
    ]);
    expect(renderPage(data, { live: true })).to.include("; connect-src 'self'; ");
  });

  it('asks for no file', () => {
    const markup = page.replace(/<script>.*?<\/script>/gs, '');
    expect(markup.match(/(?:src|href)="[^"]*"/g)).to.deep.equal(['href="data:,"']);
    expect(markup).not.to.match(/url\(|@import/);
  });
});

describe('bundle', () => {
  it('links files that import each other, once each, and packages that the page has', () => {
    const directory = mkdtempSync(join(tmpdir(), 'bundle-'));
    try {
      writeFileSync(join(directory, 'log.ts'), 'export const lines: string[] = [];');
      const b =
        "import { lines } from './log'; import type { View } from 'vega'; lines.push('b'); export const two: number = 2;";
      writeFileSync(join(directory, 'b.ts'), b);
      const a = `import { lines } from './log'; import { two } from './b'; import * as vega from 'vega';
        lines.push('a'); (globalThis as { result?: unknown }).result = [two, vega.version, lines];`;
      writeFileSync(join(directory, 'a.ts'), a);
      const context: { vega: object; result?: unknown } = { vega: { version: '6' } };
      runInNewContext(bundle(join(directory, 'a.ts')), context);
      expect(JSON.stringify(context.result)).to.equal('[2,"6",["b","a"]]');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
