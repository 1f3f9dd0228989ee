/**
 * A method for params.json that gets into trouble at will: beside cross-entropy it has the logarithm of a number that is 1,
 * or 0 at chosen steps while the learning rate is not below a limit.
 */
import { log } from '../../engine/ops';
import type { Distiller } from '../../model/distillers';

interface Options {
  /** Counted from 1 over all epochs. */
  readonly steps: readonly number[];
  readonly above: number;
}

/** Is told of every step, before it is taken. */
export const observer: { atStep: (step: number) => void } = { atStep: () => {} };

const troubled: Distiller<Options> = {
  title: 'Trouble at chosen steps',
  needsTeacher: false,
  options: { steps: { type: 'array', items: { type: 'integer' } }, above: { type: 'number', default: 0 } },
  losses({ layers, options: { steps, above } }) {
    const argument = layers.graph.hostScalar('argument', ({ step, learningRate }) => {
      observer.atStep(step);
      return steps.includes(step) && learningRate >= above ? 0 : 1;
    });
    return { trouble: layers.graph.scope('head', () => log(argument)) };
  },
};

export default troubled;
