/** Transfer learning: which of a student's parameters stay as they are, and which learn at rates of their own. */
import { UserError } from '../../utils/errors';
import { matches, refuseUnmatched } from '../../utils/glob';

/** What is particular to parameters, by their names. */
export interface ParameterRules {
  isFrozen(parameter: string): boolean;
  /** Whether a BatchNorm, by the name of its weight, keeps its running statistics and normalizes by them. */
  fixesNorm(weight: string): boolean;
  /** Factor of the learning rate. */
  rate(parameter: string): number;
}

/** The keys of params.json that say so. */
export interface TransferParams {
  readonly learning_rate: number;
  /** Globs of the student's parameters that are not trained, and how BatchNorms among them normalize; "eval" where absent. */
  readonly freeze?: readonly string[];
  readonly freeze_batch_norm?: 'eval' | 'train';
  /** Learning rates, before any schedule, of the parameters that a glob matches. */
  readonly learning_rates?: Readonly<Record<string, number>>;
}

/**
 * The rules of params.json for a student's parameters, of which the first glob of `learning_rates` that matches one
 * counts. A UserError names a glob that matches none, or says that nothing is left to train.
 */
export function parameterRules(params: TransferParams, parameters: readonly string[]): ParameterRules {
  const { freeze = [], freeze_batch_norm: norms = 'eval', learning_rates: rates = {}, learning_rate: base } = params;
  refuseUnmatched('freeze', freeze, parameters);
  refuseUnmatched('learning_rates', Object.keys(rates), parameters);
  const own = new Set(parameters);
  const isFrozen = (name: string) => own.has(name) && freeze.some((pattern) => matches(pattern, name));
  if (parameters.every(isFrozen))
    throw new UserError(`"freeze" leaves none of ${parameters.length} parameters to train`);
  return {
    isFrozen,
    fixesNorm: (weight) => norms === 'eval' && isFrozen(weight),
    rate: (name) => {
      const group = own.has(name) && Object.entries(rates).find(([pattern]) => matches(pattern, name));
      return group ? group[1] / base : 1;
    },
  };
}
