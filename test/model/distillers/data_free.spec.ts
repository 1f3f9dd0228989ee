/** Tests games of a generator and a student: model/distillers/data_free/. */
import { expect } from 'chai';
import { distillers } from '../../../model/distillers';
import oracle from '../../fixtures/distillers_data_free.json';
import { agreesWithOracle, refuses, type Case } from '../../helpers/distillers';
import { method } from '../../helpers/training';

const student = { logits: [4, 5] };
const noise_dim = 6;
const zskt = { method: 'zskt', options: { noise_dim }, student };
const dfad = { method: 'dfad', options: { noise_dim }, student };
const dafl = { method: 'dafl', options: { noise_dim }, student };

const cases: Record<string, Case> = {
  'zskt, turn of the generator': { ...zskt, phase: 0 },
  'zskt, turn of the student in the second round': { ...zskt, phase: 1, context: { step: 14 } },
  'zskt, as the code has it': {
    ...zskt,
    options: { noise_dim, attention_weight: 100, student_steps: 3 },
    klReduction: 'mean',
    phase: 1,
  },
  'zskt without attention': { ...zskt, options: { noise_dim, attention_weight: 0 }, phase: 1 },
  'dfad, turn of the generator': { ...dfad, phase: 1 },
  'dfad, turn of the student': { ...dfad, phase: 0 },
  'dfad with a narrow generator': { ...dfad, options: { noise_dim, generator_width: 5 }, phase: 1 },
  'dafl, turn of the generator': { ...dafl, phase: 0 },
  'dafl, weights for CIFAR-100': {
    ...dafl,
    options: { noise_dim, one_hot_weight: 0.5, information_weight: 20, activation_weight: 0.1 },
    phase: 0,
  },
  'dafl, turn of the student': { ...dafl, phase: 1 },
};

describe('games of a generator and a student agree with PyTorch', () => agreesWithOracle(cases, oracle));

describe('a game without data', () => {
  for (const name of ['zskt', 'dfad', 'dafl']) {
    it(`trains the generator in its turn and the student in the other: ${name}`, () => {
      const { options } = method(name);
      const phases = distillers[name]!.phases!(options);
      const trained = phases.map((phase) => [
        phase.name,
        phase.trains(`distiller.${name}.linear.weight`),
        phase.trains('conv1.weight'),
      ]);
      expect(trained).to.have.deep.members([
        ['generator', true, false],
        ['student', false, true],
      ]);
    });
  }

  it('of images whose sides are not multiples of 4 is refused', () =>
    refuses({ ...zskt, phase: 0, input: [3, 10, 8] }, 'zskt: the sides of images must be multiples of 4, got 10×8'));
});
