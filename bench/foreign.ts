/**
 * Networks of timm and torchvision as students: what test/fixtures/make_foreign_students.py exported is read, and its logits,
 * losses, gradients and ten steps of SGD are compared with PyTorch's.
 *
 *   npx ts-node bench/foreign.ts DIR [NETWORK ...]
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compareWithPytorch, type Comparison } from '../test/helpers/foreign_students';

async function main([directory, ...names]: readonly string[]): Promise<void> {
  const files = readdirSync(directory!).filter((name) => name.endsWith('.onnx'));
  const networks = names.length > 0 ? names : files.map((name) => name.slice(0, -'.onnx'.length));
  for (const name of networks) {
    const expected = join(directory!, `${name}.safetensors`);
    if (!existsSync(expected)) continue;
    try {
      console.log(row(name, await compareWithPytorch(join(directory!, `${name}.onnx`), expected)));
    } catch (error) {
      console.log(`| ${name} | ${error instanceof Error ? error.message : String(error)} |`);
    }
  }
}

function row(name: string, { nodes, parameters, errors, own, worst, seconds }: Comparison): string {
  const short = (value: number) => value.toExponential(1);
  const cells = (['logits', 'loss', 'gradients', 'statistics', 'losses'] as const).map(
    (key) => `${short(errors[key])} (${short(own[key])})`,
  );
  return `| ${[name, nodes, parameters, ...cells, worst, seconds.toFixed(1)].join(' | ')} |`;
}

void main(process.argv.slice(2));
