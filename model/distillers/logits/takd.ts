/** Teacher assistants (Mirzadeh et al. 2020, "Improved knowledge distillation via teacher assistant"). */
import { runFiles } from '../../../runs/files';
import { netAliases, nets } from '../../nets/index';
import { architectureOf } from '../../nets/net_params';
import type { Distiller } from '../distiller';
import { kd, type KdOptions } from './kd';

export interface TakdOptions extends KdOptions {
  readonly assistants: readonly string[];
}

/**
 * A chain of runs, each distilled by `kd` from the best weights of the one before: the teacher of params.json teaches the
 * first assistant, the last assistant the student. Everything else, epochs too, is as params.json says for all of them.
 */
export const takd: Distiller<TakdOptions> = {
  title: 'Soft targets handed down by assistants between teacher and student (Mirzadeh et al. 2020)',
  options: {
    assistants: {
      type: 'array',
      items: { enum: Object.keys(nets), aliases: netAliases },
      minItems: 1,
      default: ['resnet20'],
      description: 'a list of nets',
      title: 'assistants between teacher and student, in training order',
    },
    ...kd.options,
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: (setting) => kd.losses!(setting),
  stages: ({ assistants, ...soft }, { method, optimizer, weight_decay, schedule, ...run }) =>
    [...assistants, undefined].map((net, i) => ({
      name: net ?? 'student',
      changes: (before) => ({
        ...(net !== undefined && {
          model_version: `${net}_distill`,
          method: method.map((one) => (one.name === 'takd' ? { ...soft, name: 'kd' } : one)),
          init: undefined,
          // Not those that the assistant's net has by default: the learning rate is the student's.
          optimizer,
          weight_decay,
          schedule,
        }),
        ...(before !== undefined && {
          teacher: {
            model: assistants[i - 1],
            checkpoint: `${before}/${runFiles.best}`,
            ...architectureOf(run),
          },
        }),
      }),
    })),
};
