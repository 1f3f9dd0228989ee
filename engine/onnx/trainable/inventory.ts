/** What an ONNX file holds, told also where it cannot be trained. */
import { ForeignNetwork } from './network';
import type { ProgramNode } from './node';
import { readProgram, type Program } from './program';
import { isFoldable, refusalOf } from './refusals';

interface OperatorCount {
  /** The operator, with its domain where that is not ONNX's own. */
  readonly name: string;
  readonly count: number;
  /** Whether gradients flow through it, or why not. */
  readonly trains: string;
}

/** The content of an ONNX file. */
export interface Inventory {
  readonly program: Program;
  /** The most frequent first. */
  readonly operators: readonly OperatorCount[];
  /** The network of the file. Throws a UserError where it cannot be trained. */
  readonly open: () => ForeignNetwork;
}

/** Reads the bytes of a file. A UserError of one line tells what is damaged. */
export function inOnnx(bytes: Uint8Array, path: string): Inventory {
  const program = readProgram(bytes, path);
  const nodes = new Map<string, ProgramNode[]>();
  for (const node of program.nodes) {
    const name = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
    nodes.set(name, [...(nodes.get(name) ?? []), node]);
  }
  const operators = [...nodes].map(([name, all]) => ({ name, count: all.length, trains: trains(all[0]!) }));
  operators.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
  return { program, operators, open: () => new ForeignNetwork(program) };
}

function trains(node: ProgramNode): string {
  if (isFoldable(node)) return 'of known values only';
  return refusalOf(node) ?? 'yes';
}
