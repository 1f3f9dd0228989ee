/**
 * Tests docs/. Messages that pages quote are those of the code: each run of words between numbers, names and paths is in a
 * source.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { globSync } from 'fast-glob';
import { pages, printedLinesOf, root, textOf } from '../helpers/pages';

const SOURCES = ['*.ts', '{engine,formats,model,report,runs,search,utils}/**/*.ts'];

/** What the system says, names of machines and operators, and what is put together of shorter pieces. */
const OTHERS = [
  'images need about',
  'no space left on device',
  'ReduceSumSquare in layer',
  'cpu is AMD EPYC',
  'was Intel Xeon',
];

/** Runs of three words or more. */
function phrasesOf(line: string): string[] {
  const parts = line.split(/…|"[^"]*"|\S*[/\d_#]\S*|[():;,%]|^error: /);
  return parts.map((part) => part.trim()).filter((part) => part.split(/\s+/).length >= 3);
}

/** A phrase, and it without its first or its last word, which may be a value. */
function formsOf(phrase: string): string[] {
  const words = phrase.split(/\s+/);
  return [words, words.slice(1), words.slice(0, -1)].map((some) => some.join(' '));
}

describe('messages that pages quote', () => {
  const quoted = pages
    .filter((page) => page !== 'docs/slurm.md' && !page.startsWith('docs/api/'))
    .flatMap((page) => printedLinesOf(textOf(page)).map((line) => ({ page, line })));
  let sources: string;
  before(() => {
    const files = globSync(SOURCES, { cwd: root });
    const text = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
    sources = text.replace(/\/\*[^]*?\*\/|^ *\/\/.*$/gm, '');
  });

  it('are those of the code', () => {
    expect(quoted.length).to.be.above(5);
    for (const { page, line } of quoted) {
      for (const phrase of phrasesOf(line)) {
        const isKnown = OTHERS.includes(phrase) || formsOf(phrase).some((form) => sources.includes(form));
        expect(isKnown, `${page}: "${phrase}" is in no message`).to.equal(true);
      }
    }
  });
});
