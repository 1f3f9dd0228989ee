/** The networks by their names in params.json. */
import { currentName } from '../../utils/aliases';
import { isModulePath } from '../../utils/own_module';
import { netAliases } from './aliases';
import { cnn } from './cnn';
import { convnextAtto, convnextFemto, convnextTiny } from './convnext';
import { densenet, densenetBC } from './densenet';
import { efficientnetB0, efficientnetLite0 } from './efficientnet';
import { googlenet } from './googlenet';
import { imagenetResnet, narrowImagenetResnet } from './imagenet_resnet';
import { mlp } from './mlp';
import { mobilenet, mobilenetV2 } from './mobilenet';
import { mobilenetv3Large, mobilenetv3Small } from './mobilenetv3';
import type { Net } from './net';
import { isOnnxPath } from './onnx_net';
import { loadNet, netOfModule, type Recipe } from './own_net';
import { preactResnet, preresnet } from './preact_resnet';
import { regnety400mf } from './regnet';
import { cifarResnet, classicResnet, classicResnetProjected } from './resnet';
import { resnext } from './resnext';
import { senet18 } from './senet';
import { shufflenet, shufflenetV2 } from './shufflenet';
import { cifarNet, simplenet } from './simplenet';
import { narrowStageResnet, wideStageResnet } from './stage_resnet';
import { vgg } from './vgg';
import { deit, vit } from './vit';
import { wideResnet, type WideResnetNames } from './wide_resnet';

export { netAliases };
export type { Net, NetOptions, NetOutputs } from './net';
export type { NetModule } from './own_net';

export interface NetEntry {
  readonly build: Net;
  readonly recipe: Recipe;
  /** Other names of parts of its parameters' names in external files, and the names here. */
  readonly aliases?: Readonly<Record<string, string>>;
}

const adamRecipe: Recipe = {
  optimizer: 'adam',
  weight_decay: 0,
  schedule: { type: 'step', step_size: 100, gamma: 0.2 },
};

/** That of most networks, and of one in a file unless that has its own. */
const sgdRecipe: Recipe = {
  optimizer: 'sgd',
  weight_decay: 5e-4,
  schedule: { type: 'step', step_size: 150, gamma: 0.1 },
};

/** AdamW with a linear warm-up and a cosine, as for ViT, DeiT and ConvNeXt; their runs on ImageNet take 300 epochs. */
const adamwRecipe = (weight_decay: number, warmup_epochs: number): Recipe => ({
  optimizer: 'adamw',
  weight_decay,
  schedule: { type: 'cosine', warmup_epochs },
});

/** SGD with the warm-up, the cosine and the weight decay of RegNet. */
const warmRecipe = (weight_decay: number): Recipe => ({
  optimizer: 'sgd',
  weight_decay,
  schedule: { type: 'cosine', warmup_epochs: 5 },
});

const transformer = (build: Net): NetEntry => ({ build, recipe: adamwRecipe(0.05, 5) });
const convnext = (build: Net): NetEntry => ({ build, recipe: adamwRecipe(0.05, 20) });
const mobile = (build: Net): NetEntry => ({ build, recipe: warmRecipe(1e-5) });

const perceptron = (build: Net, weight_decay: number): NetEntry => ({
  build,
  recipe: { optimizer: 'sgd', weight_decay, schedule: { type: 'constant' } },
});

const sgd = (build: Net): NetEntry => ({ build, recipe: sgdRecipe });

const blockNames: WideResnetNames = { stage: 'block', head: 'fc' };
const layerNames: WideResnetNames = { stage: 'layer', head: 'linear' };

export const nets: Readonly<Record<string, NetEntry>> = {
  cnn: { build: cnn, recipe: adamRecipe },

  // ResNet with four wide stages, for 32×32 images.
  resnet18: sgd(cifarResnet(18)),
  resnet34: sgd(cifarResnet(34)),
  resnet50: sgd(cifarResnet(50)),
  resnet101: sgd(cifarResnet(101)),
  resnet152: sgd(cifarResnet(152)),

  // Classic CIFAR ResNet: three narrow stages, shortcuts without parameters.
  resnet8: sgd(classicResnet(8)),
  resnet14: sgd(classicResnet(14)),
  resnet20: sgd(classicResnet(20)),
  resnet26: sgd(classicResnet(26)),
  resnet32: sgd(classicResnet(32)),
  resnet44: sgd(classicResnet(44)),
  resnet56: sgd(classicResnet(56)),
  resnet110: sgd(classicResnet(110)),

  // The same with 1×1 convolutions as shortcuts.
  resnet8_projection: sgd(classicResnetProjected(8)),
  resnet14_projection: sgd(classicResnetProjected(14)),
  resnet20_projection: sgd(classicResnetProjected(20)),
  resnet32_projection: sgd(classicResnetProjected(32)),
  resnet44_projection: sgd(classicResnetProjected(44)),
  resnet56_projection: sgd(classicResnetProjected(56)),
  resnet110_projection: sgd(classicResnetProjected(110)),
  resnet164_projection: sgd(classicResnetProjected(164, 'bottleneck')),

  // ResNet with a ReLU after every stage only: three narrow stages, then four wide ones.
  resnet8_stage_relu: sgd(narrowStageResnet(8)),
  resnet14_stage_relu: sgd(narrowStageResnet(14)),
  resnet20_stage_relu: sgd(narrowStageResnet(20)),
  resnet26_stage_relu: sgd(narrowStageResnet(26)),
  resnet32_stage_relu: sgd(narrowStageResnet(32)),
  resnet44_stage_relu: sgd(narrowStageResnet(44)),
  resnet56_stage_relu: sgd(narrowStageResnet(56)),
  resnet10_stage_relu: sgd(wideStageResnet(10)),
  resnet18_stage_relu: sgd(wideStageResnet(18)),
  resnet34_stage_relu: sgd(wideStageResnet(34)),
  resnet50_stage_relu: sgd(wideStageResnet(50)),
  resnet101_stage_relu: sgd(wideStageResnet(101)),
  resnet152_stage_relu: sgd(wideStageResnet(152)),

  // ResNet for photographs, as in torchvision: three narrow stages, then four wide ones.
  resnet8_imagenet: sgd(narrowImagenetResnet(8)),
  resnet14_imagenet: sgd(narrowImagenetResnet(14)),
  resnet20_imagenet: sgd(narrowImagenetResnet(20)),
  resnet10_imagenet: sgd(imagenetResnet(10)),
  resnet18_imagenet: sgd(imagenetResnet(18)),
  resnet34_imagenet: sgd(imagenetResnet(34)),
  resnet50_imagenet: sgd(imagenetResnet(50)),
  resnet101_imagenet: sgd(imagenetResnet(101)),
  resnet152_imagenet: sgd(imagenetResnet(152)),

  // Wide ResNet: WRN-28-10 with stages `block1`, …; the others with stages `layer1`, ….
  wrn28_10: sgd(wideResnet(28, 10, blockNames)),
  wrn10_1: sgd(wideResnet(10, 1, layerNames)),
  wrn16_1: sgd(wideResnet(16, 1, layerNames)),
  wrn28_1: sgd(wideResnet(28, 1, layerNames)),
  wrn40_1: sgd(wideResnet(40, 1, layerNames)),
  wrn16_2: sgd(wideResnet(16, 2, layerNames)),
  wrn28_2: sgd(wideResnet(28, 2, layerNames)),
  wrn10_4: sgd(wideResnet(10, 4, layerNames)),
  wrn16_4: sgd(wideResnet(16, 4, layerNames)),
  wrn22_4: sgd(wideResnet(22, 4, layerNames)),
  wrn40_4: sgd(wideResnet(40, 4, layerNames)),
  wrn16_8: sgd(wideResnet(16, 8, layerNames)),
  wrn22_8: sgd(wideResnet(22, 8, layerNames)),

  // Pre-activation ResNet.
  preresnet110: sgd(preresnet(110)),
  preact_resnet18: sgd(preactResnet(18)),
  preact_resnet34: sgd(preactResnet(34)),
  preact_resnet50: sgd(preactResnet(50)),
  preact_resnet101: sgd(preactResnet(101)),
  preact_resnet152: sgd(preactResnet(152)),

  // ResNeXt-29, 8×64d.
  resnext29: sgd(resnext(29, 8)),

  // DenseNet: DenseNet-BC-100 of growth 12 with three blocks, then those with four blocks.
  densenet100: sgd(densenetBC(100, 12)),
  densenet_cifar: sgd(densenet(121, 12)),
  densenet121: sgd(densenet(121, 32)),
  densenet161: sgd(densenet(161, 48)),
  densenet169: sgd(densenet(169, 32)),
  densenet201: sgd(densenet(201, 32)),

  // VGG with BatchNorm.
  vgg11: sgd(vgg(11)),
  vgg13: sgd(vgg(13)),
  vgg16: sgd(vgg(16)),
  vgg19: sgd(vgg(19)),

  googlenet: sgd(googlenet),
  senet18: sgd(senet18),

  // Of depthwise convolutions.
  mobilenet: sgd(mobilenet),
  mobilenetv2: sgd(mobilenetV2([1, 2, 3, 4, 3, 3, 1])),
  mobilenetv2_short: sgd(mobilenetV2([1, 1, 3, 4, 3, 3, 1])),
  shufflenetg2: sgd(shufflenet(2)),
  shufflenetg3: sgd(shufflenet(3)),
  shufflenetv2: sgd(shufflenetV2),

  mobilenetv3_small: mobile(mobilenetv3Small),
  mobilenetv3_large: mobile(mobilenetv3Large),
  efficientnet_b0: mobile(efficientnetB0),
  efficientnet_lite0: mobile(efficientnetLite0),
  regnety_400mf: { build: regnety400mf, recipe: warmRecipe(5e-5) },
  convnext_atto: convnext(convnextAtto),
  convnext_femto: convnext(convnextFemto),
  convnext_tiny: convnext(convnextTiny),

  // Vision transformers, the latter with a distillation token.
  vit_tiny: transformer(vit(192)),
  vit_small: transformer(vit(384)),
  deit_tiny: transformer(deit(192)),
  deit_small: transformer(deit(384)),

  // Small ones with two 5×5 convolutions: LeNet-5 with BatchNorm, and the network of PyTorch's CIFAR-10 tutorial.
  simplenet: { ...sgd(simplenet), aliases: { batchnoorm1: 'bn1', batchnoorm2: 'bn2' } },
  cifar_net: sgd(cifarNet),

  // Perceptrons: of any hidden layers, and the teacher and student of MNIST.
  mlp: perceptron(mlp(), 0),
  mlp1200: perceptron(mlp([1200, 1200]), 5e-4),
  mlp800: perceptron(mlp([800, 800]), 0),
};

/** Whether this is the path of a network, in an ONNX file or a module of one's own, rather than a name. */
export function isNetPath(name: string): boolean {
  return isOnnxPath(name) || isModulePath(name);
}

/** The network of a name, which may be an old one, or of a module by its path, with these values of its options. */
export function netCalled(name: string, options: Readonly<Record<string, unknown>> = {}): NetEntry {
  if (!isModulePath(name)) return nets[currentName(name, netAliases)]!;
  return { build: netOfModule(name, loadNet(name), options), recipe: recipeOf(name)! };
}

/** How a network is trained by default, by its name or path; undefined for an unknown name. */
export function recipeOf(name: string): Recipe | undefined {
  if (isOnnxPath(name)) return sgdRecipe;
  if (isModulePath(name)) return loadNet(name).recipe ?? sgdRecipe;
  return Object.hasOwn(nets, name) ? nets[name]!.recipe : undefined;
}
