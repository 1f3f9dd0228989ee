/** Learning curves of searches: by a formula, and recorded from real trainings. */
import { Random } from '../../utils/random';
import recorded from '../fixtures/learning_curves.json';

/**
 * Validation accuracies of `count` trials over `epochs` epochs: a_e = c − (c − 0.1) · (1 + e/k)^(−p) + noise, a power law
 * from the accuracy of guessing among ten classes to the trial's limit c (Domhan and others 2015 list such forms). Limits
 * lie between 0.5 and 0.9, mostly high. Trials learn at different speeds k, and curves cross: the better ones among the
 * slow overtake. A twentieth of the trials diverges and stays at 0.1.
 */
export function learningCurves(seed: number, count: number, epochs: number): number[][] {
  const random = new Random(seed, 'learning curves');
  const noise = new Float32Array(epochs);
  return Array.from({ length: count }, (_, trial) => {
    const u = (index: number) => random.uniform(index, trial, 1);
    const limit = u(0) < 0.05 ? 0.1 : 0.9 - 0.4 * u(1) ** 2;
    const [halfway, power] = [1 + 3 * u(2), 1 + u(3)];
    random.fillNormal(noise, 0, 0.004, trial, 2);
    return Array.from(noise, (deviation, i) => limit - (limit - 0.1) * (1 + (i + 1) / halfway) ** -power + deviation);
  });
}

/** The 40 recorded curves of 27 epochs, in an order that is a function of `seed`. */
export function recordedCurves(seed: number): number[][] {
  const order = new Random(seed, 'order of trials').permutation(recorded.trials.length);
  return Array.from(order, (trial) => recorded.trials[trial]!.val_accuracy);
}
