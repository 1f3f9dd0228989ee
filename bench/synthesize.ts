/**
 * Times the table over very many runs, in this process, and tells how much memory it took:
 *
 *   npx ts-node bench/synthesize.ts --runs 10000 --epochs 30
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collectRuns } from '../report/collect/collect';
import { toHtml } from '../report/page/html';
import { rowsOf } from '../report/table/rows';
import { makeTable } from '../report/table/table';
import { toMarkdown } from '../report/writers/markdown';
import { toTerminal } from '../report/writers/terminal';
import { runFiles } from '../runs/files';
import { finished, writeRun } from '../test/helpers/runs';
import { parseArguments, runMain } from '../utils/cli';

const command = {
  name: 'bench/synthesize.ts',
  summary: 'Times the table over many runs.',
  flags: {
    runs: { type: 'number', default: 10_000, help: 'directories' },
    epochs: { type: 'number', default: 30, help: 'lines of each metrics.jsonl' },
    html: { type: 'boolean', default: false, help: 'make the page as well' },
  },
} as const;

function main(): Promise<void> {
  const { runs: count, epochs, html } = parseArguments(process.argv.slice(2), command);
  const parent = mkdtempSync(join(tmpdir(), 'synthesize-'));
  try {
    for (let i = 0; i < count; i++) {
      const accuracy = 0.5 + ((i * 7919) % 4000) / 10_000;
      writeRun(join(parent, `alpha_${(i % 100) / 100}`, `run_${i}`), finished(paramsOf(i), accuracy, epochs));
    }
    const steps: [name: string, seconds: number][] = [];
    const timed = <T>(name: string, work: () => T): T => {
      const began = performance.now();
      const result = work();
      steps.push([name, (performance.now() - began) / 1000]);
      return result;
    };
    const runs = timed('collect', () => collectRuns(parent));
    const rows = timed('fold', () => rowsOf(runs));
    const table = timed('sort', () => makeTable(rows, { sort: ['-test_accuracy'] }));
    const markdown = timed('Markdown', () => toMarkdown(table));
    const terminal = timed('terminal', () => toTerminal(table, { width: 160 }));
    const page = html ? timed('HTML', () => toHtml(table, undefined, parent)) : '';
    for (const [name, seconds] of steps)
      process.stdout.write(`${name.padEnd(10)}${seconds.toFixed(2).padStart(7)} s\n`);
    const total = steps.reduce((sum, [, seconds]) => sum + seconds, 0);
    const megabytes = process.resourceUsage().maxRSS / 1024;
    process.stdout.write(
      `${runs.length} runs, ${rows.length} rows, ${markdown.length + terminal.length + page.length} characters: ` +
        `${total.toFixed(1)} s, at most ${megabytes.toFixed(0)} MB\n`,
    );
  } finally {
    rmSync(parent, { recursive: true });
  }
  return Promise.resolve();
}

/** The params of run `i`: two seeds of each setting. */
function paramsOf(i: number): object {
  return {
    model_version: 'cnn_distill',
    dataset: { name: 'shapes', train: 20000, test: 2000, seed: 0 },
    teacher: { model: 'resnet20', checkpoint: `experiments/quickstart/teacher/${runFiles.best}` },
    alpha: (i % 100) / 100,
    temperature: 1 + Math.floor(i / 200),
    seed: Math.floor(i / 100) % 2,
  };
}

void runMain(main);
