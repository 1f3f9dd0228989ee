/** How ONNX's operators become those of this engine. */
import { elementwiseOperators } from './elementwise';
import { layerOperators } from './layers';
import type { Operator, Operators } from './operator';
import { reductionOperators } from './reductions';
import { shapeOperators } from './shapes';

const operators: Operators = { ...elementwiseOperators, ...layerOperators, ...reductionOperators, ...shapeOperators };

/** The operator of this name, if gradients flow through it. */
export function operatorOf(domain: string, opType: string): Operator | undefined {
  const isOwn = domain === '' || (domain === 'com.microsoft' && opType === 'Gelu');
  return isOwn && Object.hasOwn(operators, opType) ? operators[opType] : undefined;
}
