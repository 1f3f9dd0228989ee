/** Diverse peers (Chen, Mei, Wang, Feng & Chen 2020, AAAI, "Online knowledge distillation with diverse peers"). */
import { add, concat, mul, slice, softmax, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { UserError } from '../../../utils/errors';
import type { FeatureMaps } from '../../nets/feature_maps';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { projected } from '../features/connector';
import { kdLoss } from '../logits/kd';
import { stages } from '../pairs';
import { rampUp } from './one';

export interface OkddipOptions {
  readonly peers: number;
  readonly temperature: number;
  readonly weight: number;
  readonly ramp_up: number;
  readonly factor: number;
}

/** What each peer learns from: Σ_b a_b z_b of all peers, a = softmax_b (q · k_b) with its query and their keys. */
function targets(layers: Layers, peers: readonly FeatureMaps[], factor: number): Tensor[] {
  const width = Math.max(1, Math.floor(peers[0]!.pooled.shape[1]! / factor));
  // All passes through these layers share their weights.
  const [query, key] = ['query', 'key'].map((name) =>
    slicesOf(
      projected(
        layers,
        name,
        concat(
          peers.map(({ pooled }) => pooled),
          0,
        ),
        width,
      ),
      peers.length,
    ),
  ) as [Tensor[], Tensor[]];
  return query.map((own) => {
    const scores = key.map((other) => sum(mul(own, other), { axes: [1], keepDims: true }));
    const shares = softmax(concat(scores, 1));
    return peers.map(({ logits }, b) => mul(logits, slice(shares, 1, b, b + 1))).reduce(add);
  });
}

/** Rows of x, which `count` tensors of one size were joined to. */
function slicesOf(x: Tensor, count: number): Tensor[] {
  const rows = x.shape[0]! / count;
  return Array.from({ length: count }, (_, i) => slice(x, 0, i * rows, (i + 1) * rows));
}

/**
 * Σ_b CE(z_b) + CE(z) + β · w · T² · (Σ_b KL(t_b ‖ z_b) + KL(mean_b z_b ‖ z)), softmax at T: peers learn from each other, each
 * with shares of its own, and the student, their leader, from their mean. All share but the last stage and the classifier; the
 * student alone is evaluated. As in the authors' code (DefangChen/OKDDip-AAAI2020) gradients flow into targets as well, which is
 * what trains the queries and keys; 1e-7 is not added to targets. w grows to 1 over epochs.
 */
export const okddip: Distiller<OkddipOptions> = {
  title:
    'Peers that share all but the last stage, each learns from its own mixture of them, the student from their mean (Chen et al. 2020, AAAI)',
  options: {
    peers: { type: 'integer', minimum: 2, default: 3, title: 'number of peers of the student' },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 3, title: 'T, temperature' },
    weight: { type: 'number', minimum: 0, default: 1, title: 'β, weight of this loss' },
    ramp_up: { type: 'integer', minimum: 0, default: 80, title: 'epochs over which w grows to 1' },
    factor: { type: 'integer', minimum: 1, default: 8, title: 'by how much queries and keys are shorter than vectors' },
  },
  needsTeacher: false,
  includesCrossEntropy: true,
  losses: (context) => {
    const { student, layers, crossEntropy, options } = context;
    const { temperature, weight, ramp_up: epochs } = options;
    const stem = stages(student).at(-2);
    if (stem === undefined) {
      throw new UserError(`okddip: the student needs two stages, and has ${student.names.join(', ')}`);
    }
    const peers = Array.from({ length: options.peers }, (_, i) => context.branch(stem, `peer${i + 1}`));
    const grown = layers.graph.hostScalar('distiller.okddip.ramp_up', (step) => rampUp(epochs, step));
    const soft = (losses: Tensor) => mul(mul(losses, grown), weight);
    const divergence = (from: Tensor, to: Tensor) => kdLoss(from, to, temperature, 'batchmean');
    const mixed = targets(layers, peers, options.factor);
    const mean = mul(peers.map(({ logits }) => logits).reduce(add), 1 / peers.length);
    return {
      ce: crossEntropy(student.logits),
      peer_ce: peers.map(({ logits }) => crossEntropy(logits)).reduce(add),
      peer_kd: soft(peers.map(({ logits }, b) => divergence(logits, mixed[b]!)).reduce(add)),
      kd: soft(divergence(student.logits, mean)),
    };
  },
};
