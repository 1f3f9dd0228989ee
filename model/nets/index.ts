/** The networks by the name that params.json calls them. */
import { cnn } from './cnn';
import type { Net } from './net';
import { classicResnet, resnet18 } from './resnet';

export type { Net, NetOptions, NetOutputs } from './net';

export const nets: Readonly<Record<string, Net>> = {
  cnn,
  resnet8: classicResnet(8),
  resnet14: classicResnet(14),
  resnet18,
  resnet20: classicResnet(20),
  resnet32: classicResnet(32),
  resnet44: classicResnet(44),
  resnet56: classicResnet(56),
  resnet110: classicResnet(110),
};
