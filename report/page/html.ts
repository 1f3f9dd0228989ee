/** The report as one self-contained HTML file, which opens from disk and loads nothing from a server. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Baseline } from '../comparison';
import type { Table } from '../table/table';
import { pageScripts } from './bundle';
import { pageData, type PageData } from './data';

/** The report of the runs below `parent`. */
export function toHtml(table: Table, baseline: Baseline | undefined, parent: string): string {
  return renderPage(pageData(table, parent));
}

/**
 * The page. Its policy (CSP level 3) lets these very scripts and styles run, by their hashes, and nothing else; a `live`
 * page may ask the server that it came from for newer data.
 */
export function renderPage(data: PageData, { live = false } = {}): string {
  const style = readFileSync(join(__dirname, 'style.css'), 'utf8');
  // "</script" ends a script wherever it stands; in a JavaScript text or pattern "<\/script" means the same.
  const scripts = pageScripts().map((script) => script.replace(/<(?=\/script|!--)/gi, '\\x3c'));
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.map(hashOf).join(' ')}`,
    `style-src ${hashOf(style)}`,
    'img-src data:',
    ...(live ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ];
  return `<!doctype html>
<html lang="en"${live ? ' data-live' : ''}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy.join('; ')}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${escape(data.title)}</title>
<style>${style}</style>
</head>
<body>
<noscript>This report needs JavaScript, which this browser does not run. results.md has the same table.</noscript>
<script type="application/json" id="data">${jsonText(data)}</script>
${scripts.map((script) => `<script>${script}</script>`).join('\n')}
</body>
</html>
`;
}

/** JSON in which nothing reads as markup. */
export function jsonText(data: PageData): string {
  return JSON.stringify(data).replace(/</g, '\\u003c');
}

function hashOf(content: string): string {
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
