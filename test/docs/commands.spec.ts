/**
 * Tests the pages of docs/ and README.md. Every command that a page shows in a block of bash is run by a test, or marked with
 * a line `<!-- not run: why -->` before the block. Here: that commands are well-formed, and which spec runs them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { commandsOf, inlineCommandsOf, pages, root, textOf } from '../helpers/pages';
import { runScript } from '../helpers/train';

/** The specs that run a script as a program; together they give it every flag that a page gives it. */
const runBy: Readonly<Record<string, readonly string[]>> = {
  'inspect.ts': ['test/inspect.spec.ts', 'test/commands.spec.ts'],
  'train.ts': ['test/train.spec.ts', 'test/train.reproduce.spec.ts', 'test/examples.spec.ts'],
  'evaluate.ts': ['test/evaluate.spec.ts'],
  'export.ts': ['test/export.spec.ts'],
  'generate_logits.ts': ['test/generate_logits.spec.ts'],
  'profile.ts': ['test/profile.spec.ts'],
  'quickstart.ts': ['test/quickstart.spec.ts'],
  'search_hyperparams.ts': ['test/search/command.spec.ts'],
  'synthesize_results.ts': ['test/synthesize_results.spec.ts'],
};

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const ci = readFileSync(join(root, '.ci', 'run'), 'utf8');

/** A script of ours with the words that a command gives it, whether it names the script or one of package.json. */
function calledScript(line: string): { script: string; words: string[] } | undefined {
  const [, name, rest = ''] = /^npm run (?:--silent )?(\S+)(?: -- (.*))?$/.exec(line) ?? [];
  if (name !== undefined) {
    expect(scripts, line).to.have.property(name);
    return calledScript(`npx ${scripts[name]!} ${rest}`);
  }
  const [, script, words = ''] = /^npx ts-node (\S+\.ts)(?: ([^&]*))?$/.exec(line) ?? [];
  if (script === undefined) return undefined;
  expect(existsSync(join(root, script)), `${line}: ${script}`).to.equal(true);
  return { script, words: words.split(' ').filter((word) => word !== '') };
}

const flagsOf = (words: readonly string[]) => words.filter((word) => word.startsWith('--'));

describe('commands of the pages', function () {
  this.timeout(120_000);
  const shown = pages.flatMap((page) => commandsOf(textOf(page)).map((command) => ({ page, ...command })));
  const inline = pages.flatMap((page) => inlineCommandsOf(textOf(page)).map((line) => ({ page, line })));
  /** What each script says to --help. */
  const help = new Map<string, string>();

  before(async () => {
    const called = [...shown, ...inline].flatMap(({ line }) => calledScript(line) ?? []);
    const withFlags = [...new Set(called.filter(({ words }) => words.length > 0).map(({ script }) => script))];
    const answers = await Promise.all(withFlags.map((script) => runScript(script, root, ['--help'])));
    withFlags.forEach((script, i) => help.set(script, answers[i]!.stdout));
  });

  it('give scripts flags that they accept', () => {
    expect(help.size).to.be.above(7);
    for (const { page, line } of [...shown, ...inline]) {
      const call = calledScript(line);
      for (const flag of flagsOf(call?.words ?? [])) {
        const [name] = flag.split('=');
        expect(help.get(call!.script), `${page}: ${line}`).to.match(new RegExp(`^ +${name!} `, 'm'));
      }
    }
  });

  it('name experiments that there are', () => {
    const named = shown.flatMap(({ line }) => calledScript(line)?.words ?? []);
    const experiments = named.filter((word) => /^experiments\/./.test(word) && !word.includes('method_'));
    expect(experiments).to.include('experiments/quickstart/distilled');
    for (const path of experiments) expect(existsSync(join(root, path)), path).to.equal(true);
  });

  it('are run by a test or by .ci/run, or marked', () => {
    for (const { page, line, notRun } of shown) {
      const what = `${page}: ${line}`;
      if (notRun !== undefined) {
        expect(notRun.length, what).to.be.above(10);
        continue;
      }
      if (ci.includes(line)) continue;
      const [, spec] = /^npx mocha (\S+)$/.exec(line) ?? [];
      if (spec !== undefined) {
        expect(existsSync(join(root, spec)), what).to.equal(true);
        continue;
      }
      const call = calledScript(line);
      expect(call, `${what} is neither run by a test nor marked`).not.to.equal(undefined);
      expect(runBy, what).to.have.property(call!.script);
      const specs = runBy[call!.script]!.map((path) => readFileSync(join(root, path), 'utf8')).join('\n');
      for (const flag of flagsOf(call!.words)) {
        expect(specs, `${what}: no spec of ${call!.script} gives it ${flag}`).to.include(`'${flag}'`);
      }
    }
  });

  it('are found, with their marks', () => {
    const text =
      '<!-- not run: it takes hours -->\n```bash\na \\\n  --b\n```\n\n```bash\n# comment\nc\n```\n```ts\nno\n```\n';
    expect(commandsOf(text)).to.deep.equal([{ line: 'a --b', notRun: 'it takes hours' }, { line: 'c' }]);
  });
});
