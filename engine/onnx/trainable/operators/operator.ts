/** What makes a node of ONNX of operators of this engine. */
import type { Call, Value } from '../call';

/** What a node gives; several values where it has several outputs. */
export type Operator = (call: Call) => Value | readonly Value[];

/** Operators by their names in ONNX. */
export type Operators = Readonly<Record<string, Operator>>;
