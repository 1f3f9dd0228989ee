/** Tests the methods of model/distillers/logits/ whose targets are changed probabilities. */
import { expect } from 'chai';
import oracle from '../../fixtures/distillers_soft_targets.json';
import { agreesWithOracle, lossesOf, type Case } from '../../helpers/distillers';

const logits = { student: { logits: [8, 5] }, teacher: { logits: [8, 5] } };
const large = { range: [-20, 20] } as const;
const strong = 'crop+flip+randaugment';

describe('what soft targets have become agrees with PyTorch', () =>
  agreesWithOracle(
    {
      nkd: { method: 'nkd', ...logits },
      'nkd as for CIFAR-100': { method: 'nkd', ...logits, options: { gamma: 3.5, temperature: 3 } },
      'nkd, of large logits': { method: 'nkd', ...logits, ...large },
      ttm: { method: 'ttm', ...logits },
      'ttm, of large logits': { method: 'ttm', ...logits, ...large, options: { gamma: 0.5, weight: 3 } },
      wttm: { method: 'wttm', ...logits },
      'wttm, of large logits': { method: 'wttm', ...logits, ...large, options: { gamma: 0.1, weight: 2 } },
      wsld: { method: 'wsld', ...logits },
      'wsld as for CIFAR-100': { method: 'wsld', ...logits, options: { weight: 2.25, temperature: 4 } },
      rld: { method: 'rld', ...logits, context: { epoch: 2 } },
      'rld, warm': {
        method: 'rld',
        ...logits,
        options: { alpha: 0.5, beta: 2, confidence_temperature: 3 },
        temperature: 1,
        context: { epoch: 21 },
      },
      'rld, of large logits': { method: 'rld', ...logits, ...large, options: { warmup_epochs: 0 } },
      mlkd: { method: 'mlkd', ...logits, views: [strong] },
      'mlkd, as the code has it': { method: 'mlkd', ...logits, views: [strong], options: { variant: 'code' } },
      'mlkd at other temperatures': {
        method: 'mlkd',
        ...logits,
        views: ['crop+flip'],
        options: { temperatures: [1, 7], ce_weight: 1, weight: 2, policy: 'crop+flip' },
      },
      ctkd: { method: 'ctkd', ...logits },
      'ctkd, in full': {
        method: 'ctkd',
        ...logits,
        options: { start: 2, range: 3, epochs: 4 },
        alpha: 0.5,
        context: { epoch: 9 },
      },
      'kd, where the teacher errs': { method: 'kd', ...logits, options: { errors: 'swap' } },
      'kd, where the teacher errs, smoothed': { method: 'kd', ...logits, options: { errors: 'smooth' } },
      'kd of a noisy teacher': {
        method: 'kd',
        ...logits,
        options: { noise: { fraction: 0.5, variance: 0.1 } },
      },
      'kd of a teacher that is noisy throughout': {
        method: 'kd',
        ...logits,
        options: { noise: { fraction: 1, variance: 0.3 } },
      },
    },
    oracle,
  ));

describe('equal and constant logits', () => {
  const cases: Record<string, Partial<Case>> = {
    nkd: {},
    ttm: {},
    wttm: {},
    wsld: {},
    rld: {},
    mlkd: { views: [strong] },
  };
  for (const [method, more] of Object.entries(cases)) {
    it(`give ${method} finite losses and gradients`, async () => {
      const { losses, grads } = await lossesOf({ method, ...logits, ...more, range: [0.5, 0.5] });
      for (const loss of Object.values(losses)) expect(loss).to.satisfy(Number.isFinite);
      for (const slope of grads['student/logits']!.data) expect(slope).to.satisfy(Number.isFinite);
    });
  }
});
