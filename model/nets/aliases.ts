/**
 * Old names of networks. Today's are the family and the depth, of wide ResNets also the width, and then what makes a network
 * another than the plain one of its family:
 *
 *   resnet20               three narrow stages for CIFAR, shortcuts without parameters (He et al. 2016, option A)
 *   resnet20_projection    the same with 1×1 convolutions as shortcuts (option B)
 *   resnet20_stage_relu    a ReLU after each stage only
 *   resnet18               four wide stages for 32×32 images
 *   resnet18_imagenet      the same for photographs, as in torchvision
 *   wrn16_4                wide ResNet of depth 16 and width 4
 */
import type { Aliases } from '../../utils/aliases';

const distiller = 'models/model_factory.py of karanchahal/distiller';
const timm = 'timm';
const published = 'the experiments of peterliht/knowledge-distillation-pytorch';

/** Old names by depth, each with the current one. */
function family(depths: readonly string[], old: string, current: string, origin: string): Aliases {
  const filled = (pattern: string, depth: string) => pattern.replace('*', depth);
  return Object.fromEntries(depths.map((depth) => [filled(old, depth), { name: filled(current, depth), origin }]));
}

export const netAliases: Aliases = {
  regnety_004: { name: 'regnety_400mf', origin: timm },
  mobilenetv3_small_100: { name: 'mobilenetv3_small', origin: timm },
  mobilenetv3_large_100: { name: 'mobilenetv3_large', origin: timm },
  vit_tiny_patch16_224: { name: 'vit_tiny', origin: timm },
  vit_small_patch16_224: { name: 'vit_small', origin: timm },
  deit_tiny_distilled_patch16_224: { name: 'deit_tiny', origin: timm },
  deit_small_distilled_patch16_224: { name: 'deit_small', origin: timm },
  wrn: { name: 'wrn28_10', origin: published },
  densenet: { name: 'densenet100', origin: published },
  ...family('10_1 16_1 28_1 40_1 16_2 28_2 10_4 16_4 22_4 40_4 16_8 22_8'.split(' '), 'WRN*', 'wrn*', distiller),
  ...family(
    '8 14 20 32 44 56 110 164'.split(' '),
    'resnet*_sm',
    'resnet*_projection',
    `${distiller}, whose module is cifar10sm`,
  ),
  ...family(
    '8 10 14 18 20 26 32 34 44 50 56 101 152'.split(' '),
    'resnet*_stage',
    'resnet*_stage_relu',
    `earlier versions; ${distiller} calls them resnet8, resnet18, …`,
  ),
  ...family(
    '8 10 14 18 20 34 50 101 152'.split(' '),
    'resnet*_v',
    'resnet*_imagenet',
    `${distiller}, whose module is vision`,
  ),
};
