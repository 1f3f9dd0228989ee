import oracle from '../../../fixtures/distillers_kd.json';
import { agreesWithOracle } from '../../../helpers/distillers';

const logits = { student: { logits: [8, 5] }, teacher: { logits: [8, 5] } };

describe('kd agrees with PyTorch', () =>
  agreesWithOracle(
    {
      kd: { method: 'kd', ...logits },
      'kd at temperature 1': { method: 'kd', ...logits, alpha: 0.3, temperature: 1 },
    },
    oracle,
  ));
