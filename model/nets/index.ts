/** The networks by the name that params.json calls them. */
import type { NetDefaults } from '../../utils/params';
import { cnn } from './cnn';
import type { Net } from './net';
import { classicResnet, resnet18 } from './resnet';

export type { Net, NetOptions, NetOutputs } from './net';

export interface NetEntry {
  readonly build: Net;
  /** What the network is trained with where params.json does not say. */
  readonly recipe: NetDefaults;
}

const adamRecipe: NetDefaults = {
  optimizer: 'adam',
  weight_decay: 0,
  schedule: { type: 'step', step_size: 100, gamma: 0.2 },
};

const sgdRecipe: NetDefaults = {
  optimizer: 'sgd',
  weight_decay: 5e-4,
  schedule: { type: 'step', step_size: 150, gamma: 0.1 },
};

const classic = (depth: number): NetEntry => ({ build: classicResnet(depth), recipe: sgdRecipe });

export const nets: Readonly<Record<string, NetEntry>> = {
  cnn: { build: cnn, recipe: adamRecipe },
  resnet8: classic(8),
  resnet14: classic(14),
  resnet18: { build: resnet18, recipe: sgdRecipe },
  resnet20: classic(20),
  resnet32: classic(32),
  resnet44: classic(44),
  resnet56: classic(56),
  resnet110: classic(110),
};
