import { expect } from 'chai';
import fc from 'fast-check';
import { canonical, type Json } from '../../../search/json';
import type { Point } from '../../../search/space/space';
import { trialName } from '../../../search/trials/trial_name';

describe('trialName', () => {
  it('says what is plain plainly', () => {
    expect(trialName({ alpha: 0.5, temperature: 4 })).to.equal('alpha_0.5_temperature_4');
    expect(trialName({ learning_rate: 1e-7, 'schedule.gamma': -0.1, nesterov: true, teacher: null })).to.equal(
      'learning_rate_1e-7_schedule.gamma_-0.1_nesterov_true_teacher_null',
    );
    expect(trialName({ model_version: 'cnn_distill', method: 'kd' })).to.equal('model_version_cnn_distill_method_kd');
  });

  it('names the published grid as it was', () => {
    expect(trialName({ alpha: 0.99, temperature: 20 }, 'classic')).to.equal('alpha_0.99_Temp_20.0');
    expect(trialName({ alpha: 0.05, temperature: 4.5 }, 'classic')).to.equal('alpha_0.05_Temp_4.5');
    expect(trialName({ alpha: 1, temperature: 1e-5 }, 'classic')).to.equal('alpha_1.0_Temp_1e-05');
  });

  it('adds a hash to what it cannot write', () => {
    const hashed = (value: Json) => {
      const name = trialName({ x: value });
      expect(name).to.match(/-[0-9a-f]{8}$/);
      return name.slice(0, -9);
    };
    expect(hashed('experiments/base/best.safetensors')).to.equal('x_experiments-base-best.safetensors');
    expect(hashed({ type: 'step', gamma: 0.1 })).to.equal('x_gamma-0.1-type-step');
    for (const value of ['1', 'true', 'null', 'SGD', '', '..', '../..', 'con.', 'a b', 'ü', 'a/b', 'x\0y', [], {}]) {
      hashed(value);
    }
    expect(trialName({ x: { a: 1, b: 2 } })).to.equal(trialName({ x: { b: 2, a: 1 } }));
  });

  it('is short', () => {
    const point = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`dimension_${i}`, i / 7]));
    expect(trialName(point)).to.have.lengthOf(100);
    expect(trialName({ ...point, dimension_19: 0 })).not.to.equal(trialName(point));
  });

  it('differs between any two values and is safe in any file system', () => {
    const point = fc.record({ alpha: fc.jsonValue() }) as fc.Arbitrary<Point>;
    fc.assert(
      fc.property(point, point, (a, b) => {
        for (const naming of ['plain', 'classic'] as const) {
          const [first, second] = [trialName(a, naming), trialName(b, naming)];
          expect(first).to.match(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/);
          expect(first).not.to.match(/\.$/);
          // Some systems do not tell capitals from small letters.
          const isSame = first.toLowerCase() === second.toLowerCase();
          expect(isSame, `${first} ${second}`).to.equal(canonical(a) === canonical(b));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
