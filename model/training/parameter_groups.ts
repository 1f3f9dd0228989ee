/** Transfer learning: which parameters of a student are frozen, and which have their own learning rate. */
import { UserError } from '../../utils/errors';
import { matches, refuseUnmatched } from '../../utils/glob';

/** Settings of parameters, by name. */
export interface ParameterRules {
  isFrozen(parameter: string): boolean;
  /** Whether a BatchNorm, named by its weight, is frozen: it keeps its running statistics and normalizes with them. */
  fixesNorm(weight: string): boolean;
  /** Learning rate factor. */
  rate(parameter: string): number;
}

/** The keys of params.json that say so. */
export interface TransferParams {
  readonly learning_rate: number;
  /**
   * Globs of the student's parameters that are not trained, and how BatchNorms among them normalize; "eval" by default.
   */
  readonly freeze?: readonly string[];
  readonly freeze_batch_norm?: 'eval' | 'train';
  /** Learning rates, before any schedule, of the parameters that a glob matches. */
  readonly learning_rates?: Readonly<Record<string, number>>;
}

/**
 * The settings of params.json for a student's parameters; the first matching glob of `learning_rates` applies. Throws a
 * UserError that names a glob without a match, or if no parameter is left to train.
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
