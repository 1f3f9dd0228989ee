/** Why a node cannot be trained through, and what to do. */
import { quoted } from '../../../formats/binary';
import type { ProgramNode } from './node';
import { operatorOf } from './operators/index';

/** What is said of operators by their names. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [
    /Quantize|Integer$|^QLinear|^QGemm|^QAttention|^DynamicQuant/,
    'is quantised: train the float32 file that it was made from',
  ],
  [/^(If|Loop|Scan)$/, 'is control flow: export it with fixed sizes, so that the exporter traces one path'],
  [/Sequence|^Optional/, 'makes a sequence: export a network that gives tensors'],
  [
    /^Random|^Bernoulli|^Multinomial/,
    'draws random numbers: export it with model.eval() and training=TrainingMode.PRESERVE',
  ],
  [/^(LSTM|GRU|RNN)$/, 'is recurrent: choose a network without it'],
];

/** Why no gradient flows through a node; undefined where one does. */
export function refusalOf(node: ProgramNode): string | undefined {
  const known = reasons.find(([names]) => names.test(node.opType))?.[1];
  if (known) return known;
  if (node.isControlFlow) return reasons[1]![1];
  if (operatorOf(node.domain, node.opType)) return undefined;
  const where = node.domain === '' ? 'here' : `here, as no operator of the domain ${quoted(node.domain)} has`;
  return `has no gradient ${where}: replace this layer of the network before it is exported`;
}

const FOLDED = new Set('Constant Mod Floor Ceil Sign ConstantOfShape Range ReduceProd CumSum ScatterND'.split(' '));

/** Is an operator known to `evaluateKnown` alone, as those that make shapes and indices are? */
export function isFoldable({ domain, opType }: ProgramNode): boolean {
  return domain === '' && FOLDED.has(opType);
}

/** A node in a message. */
export function named({ opType, name, outputs }: ProgramNode): string {
  const title = name === '' ? `that makes ${quoted(outputs[0] ?? '')}` : `of the name ${quoted(name)}`;
  return `${quoted(opType)} ${title}`;
}
