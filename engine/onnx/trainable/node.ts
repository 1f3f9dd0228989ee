/** A node of a model with all that it says. */
import type { Literal } from './literal';

/** The value of an attribute. */
export type AttributeValue = number | string | readonly number[] | readonly string[] | Literal;

/** A call of an operator. */
export interface ProgramNode {
  readonly opType: string;
  readonly domain: string;
  readonly name: string;
  /** An omitted optional input is ''. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** Attributes that are those of the call of the function around it: here by name, there by name. */
  readonly references: ReadonlyMap<string, string>;
  /** Has it graphs as attributes? */
  readonly isControlFlow: boolean;
  /** The path of the module that makes it, such as `layer4.2.relu`, as far as the exporter tells. */
  readonly layer?: string | undefined;
}
