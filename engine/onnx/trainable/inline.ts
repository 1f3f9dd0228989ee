/** Calls of functions that a model defines, replaced by their nodes. */
import { FormatError, quoted } from '../../../formats/binary';
import type { AttributeValue, ProgramNode } from './node';

/** A function that a model defines. */
export interface FunctionBody {
  readonly name: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly ProgramNode[];
  /** Attributes that a call may leave out. */
  readonly defaults: ReadonlyMap<string, AttributeValue>;
}

const MAX_DEPTH = 16;
const MAX_NODES = 2 ** 18;

/** The nodes without any call; values inside of a call get names of their own. */
export function inlined(nodes: readonly ProgramNode[], functions: readonly FunctionBody[]): ProgramNode[] {
  if (functions.length === 0) return [...nodes];
  const byName = new Map(functions.map((body) => [`${body.domain}:${body.name}`, body]));
  const result: ProgramNode[] = [];
  let calls = 0;
  const visit = (list: readonly ProgramNode[], depth: number) => {
    if (depth > MAX_DEPTH) throw new FormatError(`functions are nested more than ${MAX_DEPTH} deep`);
    for (const node of list) {
      const body = byName.get(`${node.domain}:${node.opType}`);
      if (body) visit(called(node, body, `${node.name || body.name}/${calls++}/`), depth + 1);
      else if (result.push(node) > MAX_NODES) throw new FormatError(`more than ${MAX_NODES} nodes`);
    }
  };
  visit(nodes, 0);
  return result;
}

function called(
  call: ProgramNode,
  { name, inputs, outputs, nodes, defaults }: FunctionBody,
  prefix: string,
): ProgramNode[] {
  if (call.inputs.length > inputs.length || call.outputs.length > outputs.length) {
    throw new FormatError(`the call ${quoted(call.name)} of ${quoted(name)} has too many inputs or outputs`);
  }
  const names = new Map<string, string>([['', '']]);
  inputs.forEach((input, i) => names.set(input, call.inputs[i] ?? ''));
  outputs.forEach((output, i) => call.outputs[i] && names.set(output, call.outputs[i]));
  const renamed = (value: string) => names.get(value) ?? `${prefix}${value}`;
  const given = new Map([...defaults, ...call.attributes]);
  return nodes.map((node) => {
    const passed = [...node.references].flatMap(([own, outer]) => {
      const value = given.get(outer);
      return value === undefined ? [] : [[own, value] as const];
    });
    return {
      ...node,
      name: `${prefix}${node.name}`,
      inputs: node.inputs.map(renamed),
      outputs: node.outputs.map(renamed),
      attributes: new Map([...node.attributes, ...passed]),
      references: new Map(),
    };
  });
}
