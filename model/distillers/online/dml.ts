/** Two students that teach each other (Zhang, Xiang, Hospedales & Lu 2018, "Deep mutual learning"). */
import { detach, mul } from '../../../engine/ops/index';
import { netAliases, nets } from '../../nets/index';
import type { Distiller } from '../distiller';
import { kdLoss } from '../logits/kd';

export interface DmlOptions {
  readonly peer: string;
  readonly weight: number;
}

/**
 * CE(z₁) + CE(z₂) + β · KL(p₂ ‖ p₁) + β · KL(p₁ ‖ p₂) with p = softmax(z): each divergence trains the net on its right,
 * the other one being a constant. Both take their step at once, where the paper's take turns. The net that params.json
 * trains is the first; the peer starts from weights of its own and stays in last.safetensors. The loss has no
 * temperature.
 */
export const dml: Distiller<DmlOptions> = {
  title: 'Deep mutual learning with a peer: CE + β · KL(peer ‖ student), and the other way round (Zhang et al. 2018)',
  options: {
    peer: {
      enum: Object.keys(nets),
      aliases: netAliases,
      default: 'resnet20',
      title: 'the net that is trained together with the student',
    },
    weight: { type: 'number', minimum: 0, default: 1, title: 'β, weight of this loss' },
  },
  needsTeacher: false,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { student, crossEntropy, options } = setting;
    const peer = setting.peer(options.peer, 'peer');
    const [mine, theirs] = [student.logits, peer.logits];
    return {
      ce: crossEntropy(mine),
      dml: mul(kdLoss(mine, detach(theirs), 1, 'batchmean'), options.weight),
      peer_ce: crossEntropy(theirs),
      peer_dml: mul(kdLoss(theirs, detach(mine), 1, 'batchmean'), options.weight),
    };
  },
};
