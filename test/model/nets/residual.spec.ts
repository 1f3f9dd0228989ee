/** The residual networks against PyTorch in float64 (rule and cases: test/fixtures/make_nets_residual.py). */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { netCalled } from '../../../model/nets/index';
import { Layers } from '../../../model/nets/layers';
import oracle from '../../fixtures/nets_residual.json';
import { expectAnswers, expectStates, imagesOf, normOf, type Expected } from '../../helpers/nets';

const SEED = 11;
const GAIN = 1.5;
const CLASSES = 10;

interface ResidualCase extends Expected {
  /** Which images; the first ones where absent. */
  readonly draw?: number;
}

const cases = Object.entries(oracle as Record<string, ResidualCase>).map(([name, expected]) => {
  const [net = '', side = '32'] = name.split('@');
  return { name, net, side: Number(side), expected };
});

function build(net: string, side: number, mode: 'train' | 'eval' = 'eval') {
  const graph = new Graph();
  const images = graph.input('images', 'float32', [2, 3, side, side]);
  const options = { classes: CLASSES, numChannels: 32, dropoutRate: 0.3 };
  const outputs = netCalled(net).build(new Layers(graph, { mode, seed: 0 }), images, options);
  const parameters = [...graph.states.values()].filter(({ trainable }) => trainable).map(({ tensor }) => tensor);
  return { graph, parameters, ...outputs };
}

describe('residual networks', () => {
  for (const { name, net, side, expected } of cases) {
    it(`${name}: tensors and their names`, () => {
      expectStates(build(net, side), expected);
    });
  }
});

describe('residual networks start from the distributions of their papers', () => {
  const fanIn = 64 * 9;
  const standardDeviations: Readonly<Record<string, number>> = {
    'resnet18 layer1.0.conv1.weight': 1 / Math.sqrt(3 * fanIn),
    'resnet10_stage layer2.0.conv1.weight': 1 / Math.sqrt(3 * fanIn),
    'preact_resnet18 layer1.0.conv1.weight': 1 / Math.sqrt(3 * fanIn),
    'resnet20 layer3.2.conv1.weight': Math.sqrt(2 / fanIn),
    'resnet20_sm layer3.0.conv1.weight': Math.sqrt(2 / (64 * 9)),
    'resnet18_v layer2.0.conv1.weight': Math.sqrt(2 / (128 * 9)),
    'WRN16_4 layer2.layer.0.conv1.weight': Math.sqrt(2 / (128 * 9)),
    'preresnet110 layer3.0.conv2.weight': Math.sqrt(2 / (64 * 9)),
    'resnext29 stage_1.stage_1_bottleneck_0.conv_conv.weight': Math.sqrt(2 / (512 * 9)),
    'resnext29 classifier.weight': Math.sqrt(2 / 1024),
    'WRN16_4 linear.bias': 0,
    'resnext29 classifier.bias': 0,
  };
  for (const [what, expected] of Object.entries(standardDeviations)) {
    it(what, () => {
      const [net = '', key = ''] = what.split(' ');
      const { data } = build(net, 32).graph.states.get(key)!.initial();
      // The mean is 0; thousands of values tell the deviation to a few per cent.
      const actual = normOf(data as Float32Array) / Math.sqrt(data.length);
      expect(actual).to.be.closeTo(expected, 0.03 * expected);
    });
  }
});

describe('wide residual networks', () => {
  it('drop values between the convolutions of a block, in training only', () => {
    const { hostValues } = build('WRN16_2', 32, 'train').graph;
    const places = [1, 2, 3].flatMap((stage) => [0, 1].map((block) => `layer${stage}.layer.${block}.dropout.mask`));
    expect([...hostValues.keys()]).to.deep.equal(places);
    const context = { seed: 0, step: 1, epoch: 1, epochs: 1, learningRate: 0 };
    const values = [...hostValues.values()].flatMap((rule) => Array.from(rule(context).data, Number));
    expect(new Set(values)).to.deep.equal(new Set([0, Math.fround(1 / 0.7)]));
    // Of some 180,000 values, 0.3 within four standard deviations.
    const share = values.filter((value) => value === 0).length / values.length;
    expect(share).to.be.closeTo(0.3, 4 * Math.sqrt((0.3 * 0.7) / values.length));
    expect(build('WRN16_2', 32).graph.hostValues.size).to.equal(0);
  });
});

// Those of 101 and 152 layers repeat the blocks of those of 50; SOAK=1 in the environment tries them, too.
const LARGEST = process.env.SOAK ? Infinity : 30e6;
const answered = cases.filter(({ expected }) => expected.logits && expected.parameters <= LARGEST);

describe('residual networks agree with PyTorch', function () {
  this.timeout(60_000);

  for (const { name, net, side, expected } of answered) {
    it(`${name}: logits, features, gradients`, () =>
      expectAnswers(
        build(net, side),
        imagesOf(SEED, [3, side, side], expected.draw),
        { seed: SEED, gain: GAIN },
        expected,
      ));
  }
});
