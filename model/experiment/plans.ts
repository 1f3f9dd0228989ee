/**
 * The planned number of epochs of a run over its steps. `num_epochs` may be increased between two starts; schedules
 * that depend on it, such as a cosine, are stretched from there on. A repetition of the run follows the same plans.
 */
import { isObject } from '../../utils/json';
import { learningRate, schedules } from '../training/schedules';
import type { Params } from './params';

export interface Plan {
  /** Number of finished steps when it took effect. */
  readonly from_step: number;
  readonly num_epochs: number;
}

/** The plans in a run.json; undefined if it has none. */
export function plansIn(facts: Readonly<Record<string, unknown>>): Plan[] | undefined {
  const { plans } = facts;
  return Array.isArray(plans) && plans.length > 0 && plans.every(isPlan) ? plans : undefined;
}

function isPlan(plan: unknown): plan is Plan {
  return isObject(plan) && Number.isSafeInteger(plan.from_step) && Number.isSafeInteger(plan.num_epochs);
}

/** The plans, extended by one with `epochs` epochs from step `step` on if it differs from the last. */
export function withPlan(plans: readonly Plan[], step: number, epochs: number): Plan[] {
  if (plans.at(-1)?.num_epochs === epochs) return [...plans];
  return [...plans.filter(({ from_step: from }) => from < step), { from_step: step, num_epochs: epochs }];
}

/** The planned epochs at a step, counted from 1. */
export function plannedEpochs(plans: readonly Plan[], step: number): number {
  return plans.findLast(({ from_step: from }) => from < step)!.num_epochs;
}

/** What a new number of epochs changes for a run that resumes in `epoch`, after an epoch with the rate `lastRate`. */
export function changesOfPlan(params: Params, before: number, epoch: number, lastRate: number | undefined): string[] {
  const { schedule, learning_rate: base, num_epochs: epochs, method } = params;
  if (before === epochs) return [];
  const change = `"num_epochs" was ${before} and is now ${epochs}`;
  const rate = learningRate(schedule, base, { epoch, epochs, history: [] });
  const after = lastRate === undefined ? '' : ` after ${rounded(lastRate)}`;
  const isStretched = method.some(({ anneal }) => isObject(anneal) && anneal.epochs === undefined);
  return [
    ...(schedules[schedule.type].isStretched
      ? [
          `${change}: the ${schedule.type} is stretched, the learning rate of epoch ${epoch} is ${rounded(rate)}${after}`,
        ]
      : []),
    ...(isStretched ? [`${change}: the weight that "anneal" lowers is stretched`] : []),
  ];
}

function rounded(rate: number): string {
  return String(Number(rate.toPrecision(4)));
}
