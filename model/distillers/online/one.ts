/** On-the-fly native ensemble (Lan, Zhu & Gong 2018, NeurIPS, "Knowledge distillation by on-the-fly native ensemble"). */
import { adaptiveAvgPool, add, detach, flatten, mul, relu, slice, softmax } from '../../../engine/ops/index';
import type { StepContext } from '../../../engine/step_context';
import { UserError } from '../../../utils/errors';
import type { Distiller } from '../distiller';
import { kdLoss } from '../logits/kd';
import { stages } from '../pairs';

export interface OneOptions {
  readonly branches: number;
  readonly temperature: number;
  readonly ramp_up: number;
}

/** e^(−5 (1 − t / epochs)²) after t epochs, and 1 from then on. */
export function rampUp(epochs: number, { epoch }: Pick<StepContext, 'epoch'>): number {
  const missing = epochs === 0 ? 0 : 1 - Math.min((epoch - 1) / epochs, 1);
  return Math.exp(-5 * missing * missing);
}

/**
 * Σ_b CE(z_b) + CE(z) + w · Σ_b T² · KL(softmax(z / T) ‖ softmax(z_b / T)) with z = Σ_b g_b z_b, in the last term a constant.
 * The branches share all but the last stage and the classifier: the first is the student, which alone is evaluated, the others
 * are its last stage once more, with weights of their own. g is the gate softmax(ReLU(BatchNorm(linear))) of the mean of the
 * map before it. w is 1; in the authors' code (Lan1991Xu/ONE_NeurIPS2018) it grows over 80 epochs.
 */
export const one: Distiller<OneOptions> = {
  title:
    'Branches: the last stage several times over, each learns from the gated mean of their logits (Lan et al. 2018, NeurIPS)',
  options: {
    branches: { type: 'integer', minimum: 2, default: 3, title: "number of branches, including the student's" },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 3, title: 'T, temperature' },
    ramp_up: { type: 'integer', minimum: 0, default: 0, title: 'epochs over which w grows to 1' },
  },
  needsTeacher: false,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { student, layers, crossEntropy, options } = setting;
    const { branches, temperature, ramp_up: epochs } = options;
    const stem = stages(student).at(-2);
    if (stem === undefined)
      throw new UserError(`one: the student needs two stages, and has ${student.names.join(', ')}`);
    const others = Array.from({ length: branches - 1 }, (_, i) => setting.branch(stem, `branch${i + 2}`));
    const logits = [student, ...others].map((branch) => branch.logits);
    // A linear layer without a bias, which BatchNorm would take away again.
    const vector = adaptiveAvgPool(student.get(stem), 1);
    const scores = layers.batchNorm('gate.1', layers.conv('gate.0', vector, branches, { kernel: 1 }));
    const gate = softmax(flatten(relu(scores)));
    const ensemble = logits.map((z, b) => mul(z, slice(gate, 1, b, b + 1))).reduce(add);
    const grown = layers.graph.hostScalar('distiller.one.ramp_up', (context) => rampUp(epochs, context));
    const target = detach(ensemble);
    return {
      ce: logits.map(crossEntropy).reduce(add),
      ensemble_ce: crossEntropy(ensemble),
      kd: mul(logits.map((z) => kdLoss(z, target, temperature, 'batchmean')).reduce(add), grown),
    };
  },
};
