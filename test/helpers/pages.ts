/** The pages that people read: Markdown files of the repository, their links, headings and commands. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { globSync } from 'fast-glob';

export const root = join(__dirname, '..', '..');

/** Their paths, relative to the repository. */
export const pages = globSync(['*.md', 'docs/**/*.md', 'experiments/**/README.md'], {
  cwd: root,
  ignore: ['node_modules/**'],
}).sort();

export const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

const FENCE = /^( *)```(\w*)\n([^]*?)^\1```$/gm;

/** A page without code, whose brackets are no links and whose hashes are no headings. */
function prose(text: string): string {
  return text.replace(FENCE, '').replace(/`[^`\n]*`/g, '``');
}

/** Targets of links and pictures. */
export function linksOf(text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => target!);
}

/** The anchors of a page, as GitHub derives them from headings; a repeated one has a number. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>([...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id]) => id!));
  const headings = [...text.replace(FENCE, '').matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => heading!);
  for (const heading of headings) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Files of the project that a page names in its text, such as `engine/graph.ts`; layouts with CLASS are those of data sets. */
export function filesNamedIn(text: string): string[] {
  const spans = [...text.replace(FENCE, '').matchAll(/`([\w./*-]+)`/g)].map(([, span]) => span!);
  return spans.filter(
    (span) =>
      !span.includes('CLASS') && /^(bench|engine|formats|model|report|runs|search|test|tools|utils|\.ci)\//.test(span),
  );
}

/** A command of a page, and why it is marked as not run, where it is. */
export interface Command {
  readonly line: string;
  readonly notRun?: string;
}

/** The lines of blocks of bash, each with what continues it. `<!-- not run: why -->` before a block marks it. */
export function commandsOf(text: string): Command[] {
  return [...text.matchAll(FENCE)].flatMap(({ 2: language, 3: block, index }) => {
    if (language !== 'bash') return [];
    const [, notRun] = /<!-- not run: (.+) -->\n$/.exec(text.slice(0, index)) ?? [];
    const lines = block!.replace(/\\\n\s*/g, '').split('\n');
    const commands = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
    return commands.map((line) => ({ line, ...(notRun !== undefined && { notRun }) }));
  });
}

/** Commands within a sentence or a table; parts of them may be placeholders, such as DIR. */
export function inlineCommandsOf(text: string): string[] {
  const spans = [...text.replace(FENCE, '').matchAll(/`((?:npx|npm run) [^`\n]+)`/g)];
  return spans.map(([, command]) => command!);
}

/** The texts of blocks of a language. */
export function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(FENCE)].filter(([, , own]) => own === language).map(([, , , block]) => block!);
}

/** What a page quotes of what commands print: the lines of blocks that are indented and of no language. */
export function printedLinesOf(text: string): string[] {
  const blocks = text.replace(FENCE, '').match(/(?<=\n\n)(?: {4,}[^\n]*\n)+/g) ?? [];
  return blocks.flatMap((block) => block.split('\n')).map((line) => line.trim());
}
